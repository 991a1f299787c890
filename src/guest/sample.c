#include "guest/sample.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "guest/container.h"

#define SAMPLE_FILE (64 * KIB)
#define SECTOR      512
#define TICK_US     10000 /* of /proc/stat */

/* The line that begins with this word, behind blanks, or NULL.  Returns what follows the word. */
static const char *sample_line(const char *text, const char *word, char after)
{
	size_t len = strlen(word);

	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += strspn(at, " \n");
		if (!strncmp(at, word, len) && at[len] == after)
			return at + len + 1;
	}
	return NULL;
}

/* Read numbers, which may have words before them.  Those that are missing stay 0. */
static void sample_numbers(const char *at, uint64_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *end;

		numbers[i] = strtoull(at, &end, 10);
		if (end == at)
			return;
		at = end;
	}
}

uint64_t sample_number(const char *text, const char *key)
{
	const char *at = sample_line(text, key, ' ');
	uint64_t number = 0;

	if (at)
		sample_numbers(at, &number, 1);
	return number;
}

/* After user, nice, system, idle, waiting for disks, and two kinds of interrupts. */
uint64_t sample_steal_us(const char *stat)
{
	const char *at = sample_line(stat, "cpu", ' ');
	uint64_t numbers[8] = { 0 };

	if (at)
		sample_numbers(at, numbers, ARRAY_SIZE(numbers));
	return numbers[7] * TICK_US;
}

/* Major and minor number, name, reads, merged, sectors, time, writes, merged, sectors. */
uint64_t sample_disk(const char *diskstats, const char *disk)
{
	const size_t len = strlen(disk);
	uint64_t numbers[7] = { 0 };

	for (const char *at = strstr(diskstats, disk); at; at = strstr(at + 1, disk)) {
		if (at == diskstats || at[-1] != ' ' || at[len] != ' ')
			continue;
		sample_numbers(at + len, numbers, ARRAY_SIZE(numbers));
		return (numbers[2] + numbers[6]) * SECTOR;
	}
	return 0;
}

/* Bytes and seven other numbers of what was received, then the same of what was sent. */
uint64_t sample_net(const char *net_dev, const char *interface)
{
	const char *at = sample_line(net_dev, interface, ':');
	uint64_t numbers[9] = { 0 };

	if (at)
		sample_numbers(at, numbers, ARRAY_SIZE(numbers));
	return numbers[0] + numbers[8];
}

/* A socket without a peer is a server's.  A client that has not connected its own looks the same,
 * which does no harm, because only EXPOSEd ports are looked for. */
size_t sample_udp(const char *table, uint16_t *ports, size_t room)
{
	size_t n = 0;

	for (const char *at = strchr(table, '\n'); at && n < room; at = strchr(at + 1, '\n')) {
		unsigned port, peer;

		if (sscanf(at + 1, " %*d: %*32[0-9A-Fa-f]:%4x %*32[0-9A-Fa-f]:%4x", &port, &peer) ==
			    2 &&
		    !peer)
			ports[n++] = (uint16_t)port;
	}
	return n;
}

/* Returns text that is good until the next call, "" if there is none. */
static const char *sample_read(const char *path)
{
	static char text[SAMPLE_FILE];
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0, got;

	while (fd >= 0 && n < (ssize_t)sizeof(text) - 1 &&
	       (got = read(fd, text + n, sizeof(text) - 1 - (size_t)n)) > 0)
		n += got;
	text[n] = '\0';
	return text;
}

static uint64_t sample_value(const char *path)
{
	return strtoull(sample_read(path), NULL, 10);
}

static void sample_put_udp(struct buf *out, const char *path)
{
	uint16_t ports[SAMPLE_UDP_MAX];
	size_t n = sample_udp(sample_read(path), ports, ARRAY_SIZE(ports));

	for (size_t i = 0; i < n; i++)
		agent_put_u64(out, FIELD_UDP_PORT, ports[i]);
}

static void sample_send(const struct sampler *s)
{
	struct buf *out = &s->port->out;
	size_t mark = agent_begin(out, AGENT_SAMPLE);
	const char *stat = sample_read("/proc/stat");
	uint64_t births = sample_number(stat, "processes"), steal_us = sample_steal_us(stat);

	agent_put_u64(out, FIELD_AT_MS, (uint64_t)(clock_mono_ms() - s->began_ms));
	agent_put_u64(
		out, FIELD_CPU_US,
		steal_us + sample_number(sample_read(CONTAINER_CGROUP "/cpu.stat"), "usage_usec"));
	agent_put_u64(out, FIELD_DISK_BYTES, sample_disk(sample_read("/proc/diskstats"), "vda"));
	agent_put_u64(out, FIELD_NET_BYTES, sample_net(sample_read("/proc/net/dev"), "eth0"));
	agent_put_u64(out, FIELD_BIRTHS, births);
	agent_put_u64(out, FIELD_TASKS, sample_value(CONTAINER_CGROUP "/pids.current"));
	agent_put_u64(out, FIELD_OUTPUT_BYTES, s->logs->taken);
	agent_put_u64(out, FIELD_MEMORY_BYTES, sample_value(CONTAINER_CGROUP "/memory.current"));
	sample_put_udp(out, "/proc/net/udp");
	sample_put_udp(out, "/proc/net/udp6");
	agent_end(out, mark);
	port_send(s->port);
}

static void sample_again(struct timer *t)
{
	struct sampler *s = container_of(t, struct sampler, timer);

	loop_timer(s->port->loop, &s->timer, SAMPLE_EVERY_MS, sample_again);
	if (!port_is_full(s->port))
		sample_send(s);
}

void sample_start(struct sampler *s, struct port *port, const struct logs *logs)
{
	*s = (struct sampler){ .port = port, .logs = logs, .began_ms = clock_mono_ms() };
	sample_again(&s->timer);
}

void sample_stop(struct sampler *s)
{
	if (s->port)
		loop_untimer(s->port->loop, &s->timer);
}
