#include "guest/timer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/log.h"
#include "ipc/agent.h"

#define TIMER_LIST "/proc/timer_list"
#define TIMER_MAX  (1 * MIB)

/* QEMU's and KVM's local APIC count nanoseconds, of which Linux lets it count every sixteenth. */
#define TIMER_HZ      62500000ULL
#define TIMER_PERCENT 10

/* The value of the first line that begins so, behind its blanks; NULL: there is none. */
static const char *timer_value(const char *text, const char *name)
{
	const char *at = text ? strstr(text, name) : NULL;

	return at ? at + strlen(name) + strspn(at + strlen(name), " ") : NULL;
}

struct timer_look timer_parse(const char *text)
{
	/* The device for broadcasts stands before those of the CPUs. */
	const char *cpu = strstr(text, "Per CPU device: 0");
	const char *name = timer_value(cpu, "Clock Event Device:");
	const char *mult = timer_value(name, "\n mult:");
	const char *shift = timer_value(mult, "\n shift:");
	struct timer_look look = { 0 };
	unsigned long bits;

	if (!name || *name == '<' || !shift)
		return look;
	snprintf(look.name, sizeof(look.name), "%.*s", (int)strcspn(name, "\n"), name);
	bits = strtoul(shift, NULL, 10);
	if (bits < 64)
		look.hz =
			(uint64_t)((double)strtoull(mult, NULL, 10) * 1e9 / (double)(1ULL << bits));
	return look;
}

/* A deadline is a time of the TSC, and nothing is measured for it. */
bool timer_is_right(const struct timer_look *look)
{
	if (strcmp(look->name, "lapic") != 0)
		return *look->name;
	return look->hz >= TIMER_HZ / 100 * (100 - TIMER_PERCENT) &&
	       look->hz <= TIMER_HZ / 100 * (100 + TIMER_PERCENT);
}

/* printk writes to the console at once, and this reboot asks nobody: a device that is put to sleep
 * first may wait for the timer. */
static void timer_end(const struct timer_look *look)
{
	autoclose int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	autoclose int key = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	char text[160];
	int n = snprintf(text, sizeof(text), "<2>doze-init: " AGENT_TIMER_WORDS " (%s %llu Hz)\n",
			 *look->name ? look->name : "none", (unsigned long long)look->hz);

	if (write(log, text, (size_t)n) < 0)
		log_err(AGENT_TIMER_WORDS);
	if (write(key, "b", 1) < 0)
		abort(); /* the kernel panics at the end of its first process */
}

void timer_check(void)
{
	autobuf struct buf text = { 0 };
	autoclose int fd = open(TIMER_LIST, O_RDONLY | O_CLOEXEC);
	struct timer_look look;

	if (fd < 0 || io_read_all(fd, &text, TIMER_MAX))
		return; /* another kernel, whose timer is not known */
	look = timer_parse(buf_str(&text));
	if (!timer_is_right(&look))
		timer_end(&look);
}
