/* talk.c - everything that comes from the machine, and what is asked of it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"

#include "base/clock.h"
#include "wire/agent.h"

static const char *const agent_names[AGENT_NUM_TYPES] = {
	[AGENT_NONE] = "NONE",       [AGENT_START] = "START",
	[AGENT_RESUMED] = "RESUMED", [AGENT_HOOK] = "HOOK",
	[AGENT_WARM] = "WARM",       [AGENT_HELLO] = "HELLO",
	[AGENT_LISTEN] = "LISTEN",   [AGENT_HOOK_RESULT] = "HOOK_RESULT",
	[AGENT_LOG] = "LOG",         [AGENT_EXIT] = "EXIT",
	[AGENT_ACK] = "ACK",         [AGENT_SAMPLE] = "SAMPLE",
	[AGENT_CHECK] = "CHECK",     [AGENT_CHECK_RESULT] = "CHECK_RESULT",
};

unsigned talk_agent_type(const char *name)
{
	for (unsigned i = 1; i < AGENT_NUM_TYPES; i++)
		if (!strcmp(agent_names[i], name))
			return i;
	return AGENT_NONE;
}

void drive_say(const struct drive *d, const char *fmt, ...)
{
	int64_t us = d->at_exec ? (usage_now(d).wall_ns - d->at_exec->wall_ns) / 1000 : 0;
	va_list args;

	printf("[%4d.%06d] ", (int)(us / 1000000), (int)(us % 1000000));
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

static bool talk_has(const char *line, size_t size, const char *text)
{
	return memmem(line, size, text, strlen(text)) != NULL;
}

/* What a sanitizer says is always a failure. */
static void talk_check_line(struct drive *d, const char *line, size_t size)
{
	static const char *const never[] = { "AddressSanitizer", "runtime error:" };

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (talk_has(line, size, never[i]))
			d->forbidden = never[i];
	for (unsigned i = 0; i < d->start->n; i++)
		if (!strcmp(d->start->word[i].key, "forbid") &&
		    talk_has(line, size, d->start->word[i].value))
			d->forbidden = d->start->word[i].value;
}

/* Print the whole lines that are new; a guest that never stops is cut short. */
static void talk_say_console(struct drive *d)
{
	char *line = buf_str(&d->seen) + d->said, *end;

	while ((end = strchr(line, '\n'))) {
		size_t size = (size_t)(end - line);

		talk_check_line(d, line, size);
		if (d->n_lines++ < DRIVE_LINES && !words_get(d->start, "quiet") && size)
			drive_say(d, "console: %.*s", (int)(size - (line[size - 1] == '\r')), line);
		d->said += size + 1;
		line = end + 1;
	}
}

static void talk_console(struct drive *d)
{
	char bytes[4096];
	ssize_t n = read(d->console, bytes, sizeof(bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fd_close(&d->console);
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		if (!bytes[i])
			bytes[i] = '.';
	if (d->seen.size + (size_t)n > DRIVE_SEEN) {
		size_t drop = d->seen.size / 2;

		buf_drop(&d->seen, drop);
		d->said -= drop < d->said ? drop : d->said;
	}
	buf_add(&d->seen, bytes, (size_t)n);
	talk_say_console(d);
}

static void talk_frame(struct drive *d, const struct agent_frame *f)
{
	const char *name = f->type < AGENT_NUM_TYPES ? agent_names[f->type] : "?";
	struct agent_field_view v;
	size_t at = 0;

	d->frames[f->type < AGENT_NUM_TYPES ? f->type : AGENT_NONE]++;
	drive_say(d, "agent: %s, %u bytes", name, f->size);
	while (f->type == AGENT_LOG && agent_field_next(f, &at, &v) == 1)
		if (v.tag == FIELD_BYTES)
			drive_say(d, "agent says: %.*s", (int)v.size, (const char *)v.data);
}

static void talk_agent(struct drive *d, const uint8_t *data, size_t size)
{
	struct agent_frame f;
	size_t used;

	buf_add(&d->agent, data, size);
	while (agent_frame_next(d->agent.data, d->agent.size, LIMIT_AGENT_TO_HOST, &f, &used) ==
	       1) {
		talk_frame(d, &f);
		buf_drop(&d->agent, used);
	}
}

static void talk_message(struct drive *d)
{
	const struct ipc_msg *m = &d->message;
	const struct machine_fault *fault = (const void *)m->body;
	const struct machine_exited *exited = (const void *)m->body;
	const struct machine_saved *saved = (const void *)m->body;
	const char *name = machine_rows[m->head.type].name;

	if (m->head.type == MACHINE_AGENT)
		talk_agent(d, m->body, m->head.size);
	else if (m->head.type == MACHINE_FAULT)
		drive_say(d, "FAULT: %.*s", IPC_TEXT_SIZE, fault->text);
	else if (m->head.type == MACHINE_SAVED)
		drive_say(d, "SAVED state=%llu memory=%llu disk=%llu paused_us=%llu",
			  (unsigned long long)saved->state_bytes,
			  (unsigned long long)saved->memory_bytes,
			  (unsigned long long)saved->disk_bytes,
			  (unsigned long long)saved->paused_us);
	else if (m->head.type == MACHINE_READY)
		drive_say(d, "READY");
	else if (m->head.type != MACHINE_EXITED)
		drive_say(d, "%s", name);
	if (m->head.type == MACHINE_EXITED) {
		snprintf(d->reason, sizeof(d->reason), "%.*s", IPC_TEXT_SIZE - 1, exited->reason);
		drive_say(d, "EXITED: %s", d->reason);
	}
	if (m->head.tag && m->head.tag == d->next_tag && m->head.type >= MACHINE_READY)
		d->answered = true;
}

static void talk_sock(struct drive *d)
{
	int rc = ipc_recv(d->sock, &d->message, machine_rows, MACHINE_NUM_TYPES);

	if (rc == -EAGAIN)
		return;
	if (rc <= 0) {
		if (rc && rc != -ECONNRESET)
			drive_say(d, "machine.sock: %s", strerror(-rc));
		fd_close(&d->sock);
		return;
	}
	talk_message(d);
}

static void talk_ended(struct drive *d)
{
	waitpid(d->pid, &d->status, 0);
	fd_close(&d->pidfd);
	if (WIFSIGNALED(d->status))
		drive_say(d, "the machine was ended by signal %d", WTERMSIG(d->status));
	else
		drive_say(d, "the machine ended with status %d", WEXITSTATUS(d->status));
}

static int talk_once(struct drive *d, int timeout_ms, struct err *e)
{
	struct pollfd p[] = { { .fd = d->console, .events = POLLIN },
			      { .fd = d->sock, .events = POLLIN },
			      { .fd = d->pidfd, .events = POLLIN } };

	if (d->console < 0 && d->sock < 0 && d->pidfd < 0)
		return err_set(e, ERR_INTERNAL, "the machine has ended");
	if (d->forbidden)
		return err_set(e, ERR_INTERNAL, "its console says '%s'", d->forbidden);
	if (poll(p, ARRAY_SIZE(p), timeout_ms) < 0 && errno != EINTR)
		return err_sys(e, "poll");
	if (p[0].revents)
		talk_console(d);
	else if (p[1].revents)
		talk_sock(d);
	else if (p[2].revents)
		talk_ended(d);
	return 0;
}

int drive_until(struct drive *d, bool (*done)(struct drive *d, const void *arg), const void *arg,
		struct err *e)
{
	while (!done(d, arg))
		if (talk_once(d, -1, e))
			return -1;
	return 0;
}

int drive_for(struct drive *d, unsigned ms, struct err *e)
{
	int64_t end = clock_mono_ms() + ms;

	for (int64_t now; (now = clock_mono_ms()) < end;)
		if (talk_once(d, (int)(end - now), e))
			return -1;
	return 0;
}

static int drive_connect(struct drive *d, struct err *e)
{
	autofree char *path = xasprintf("%s/machine.sock", d->dir);

	d->sock = d->sock < 0 ? ipc_connect(path, SOCK_SEQPACKET, e) : d->sock;
	return d->sock < 0 ? -1 : 0;
}

static bool talk_hello(struct drive *d, const void *arg)
{
	(void)arg;
	return d->message.head.size >= sizeof(struct machine_hello) &&
	       d->message.head.type == MACHINE_HELLO;
}

int drive_hello(struct drive *d, struct err *e)
{
	const struct machine_hello *hello = (const void *)d->message.body;

	d->message.head.size = 0;
	if (drive_connect(d, e) || drive_until(d, talk_hello, NULL, e))
		return -1;
	if (hello->protocol != MACHINE_PROTOCOL)
		return err_set(e, ERR_INTERNAL, "it speaks version %u", hello->protocol);
	return 0;
}

static bool talk_answered(struct drive *d, const void *arg)
{
	(void)arg;
	return d->answered;
}

int drive_send(struct drive *d, uint32_t type, const void *body, size_t size, const int *fds,
	       unsigned n_fds, struct err *e)
{
	struct ipc_head head = { .type = type, .size = (uint32_t)size, .tag = ++d->next_tag };
	int rc;

	if (d->sock < 0 && drive_hello(d, e))
		return -1;
	d->answered = false;
	rc = ipc_send(d->sock, &head, body, fds, n_fds);
	return rc ? err_set(e, ERR_INTERNAL, "send: %s", strerror(-rc)) : 0;
}

int drive_answer(struct drive *d, struct err *e)
{
	const struct machine_fault *fault = (const void *)d->message.body;

	if (drive_until(d, talk_answered, NULL, e))
		return -1;
	d->refused = d->message.head.type == MACHINE_FAULT;
	if (d->refused)
		return err_set(e, ERR_INTERNAL, "%.*s", IPC_TEXT_SIZE, fault->text);
	return 0;
}

int drive_ask(struct drive *d, uint32_t type, const void *body, size_t size, const int *fds,
	      unsigned n_fds, struct err *e)
{
	return drive_send(d, type, body, size, fds, n_fds, e) || drive_answer(d, e) ? -1 : 0;
}
