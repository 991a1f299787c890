/* commands.c - the words of drive's command line. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "drive.h"

#include "base/rand.h"
#include "wire/agent.h"

static const struct machine_none none = { 0 };

static int command_pause(struct drive *d, const struct words *w, struct err *e)
{
	(void)w;
	return drive_ask(d, MACHINE_PAUSE, &none, sizeof(none), NULL, 0, e);
}

static int command_continue(struct drive *d, const struct words *w, struct err *e)
{
	if (words_get(w, "mark")) {
		d->mark = usage_now(d);
		trace_mark(d);
	}
	if (drive_send(d, MACHINE_CONTINUE, &none, sizeof(none), NULL, 0, e))
		return -1;
	return words_get(w, "nowait") ? 0 : drive_answer(d, e);
}

static int command_answer(struct drive *d, const struct words *w, struct err *e)
{
	(void)w;
	return drive_answer(d, e);
}

/* The answer to STOP is EXITED. */
static bool command_said_why(struct drive *d, const void *arg)
{
	(void)arg;
	return d->reason[0];
}

static int command_stop(struct drive *d, const struct words *w, struct err *e)
{
	(void)w;
	if (drive_send(d, MACHINE_STOP, &none, sizeof(none), NULL, 0, e))
		return -1;
	return drive_until(d, command_said_why, NULL, e);
}

static int command_hello(struct drive *d, const struct words *w, struct err *e)
{
	(void)w;
	return drive_hello(d, e);
}

#define STATS_EVERY_MS 200

static int command_stats(struct drive *d, const struct words *w, struct err *e)
{
	const struct machine_stats *s = (const void *)d->message.body;
	uint64_t before = d->private_bytes, back = words_number(w, "back", 0);

	for (unsigned left = words_number(w, "ms", 0);; left -= STATS_EVERY_MS) {
		if (drive_ask(d, MACHINE_GET_STATS, &none, sizeof(none), NULL, 0, e))
			return -1;
		d->private_bytes = s->private_bytes;
		if (s->private_bytes + back < before || left < STATS_EVERY_MS)
			break;
		if (drive_for(d, STATS_EVERY_MS, e))
			return -1;
	}
	drive_say(d, "cpu_ns=%llu private=%llu proportional=%llu run=%u",
		  (unsigned long long)s->cpu_ns, (unsigned long long)s->private_bytes,
		  (unsigned long long)s->proportional_bytes, s->run);
	return 0;
}

static void agent_words(struct buf *b, unsigned type, const struct words *w)
{
	uint8_t random[64];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	for (unsigned i = 0; i < w->n; i++)
		if (!strcmp(w->word[i].key, "arg"))
			agent_put_text(b, FIELD_ARG, w->word[i].value);
	if (type == AGENT_START)
		return;
	rand_bytes(random, sizeof(random));
	agent_put_u64(b, FIELD_ID, 1);
	agent_put_u64(b, FIELD_WALL_NS, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	agent_put(b, FIELD_RANDOM, random, sizeof(random));
	agent_put_text(b, FIELD_IDENTITY, "microvm-test");
}

static int command_agent(struct drive *d, const struct words *w, struct err *e)
{
	const char *name = words_need(w, "type", e);
	unsigned type = name ? talk_agent_type(name) : AGENT_NONE;
	struct ipc_head head = { .type = MACHINE_AGENT };
	struct buf autobuf frame = { 0 };
	size_t mark;
	int rc;

	if (!name)
		return -1;
	if (type == AGENT_NONE)
		return err_set(e, ERR_INVALID, "there is no agent frame '%s'", name);
	mark = agent_begin(&frame, (uint8_t)type);
	agent_words(&frame, type, w);
	agent_end(&frame, mark);
	head.size = (uint32_t)frame.size;
	rc = ipc_send(d->sock, &head, frame.data, NULL, 0);
	return rc ? err_set(e, ERR_INTERNAL, "send: %s", strerror(-rc)) : 0;
}

/* The text, and what stands before it, is taken from what was seen. */
static bool await_text(struct drive *d, const void *arg)
{
	const char *text = arg, *at = strstr(buf_str(&d->seen), text);
	size_t size;

	if (!at || !d->seen.size)
		return false;
	size = (size_t)(at - (const char *)d->seen.data) + (*text ? strlen(text) : d->seen.size);
	buf_drop(&d->seen, size);
	d->said -= size < d->said ? size : d->said;
	return true;
}

static bool await_frame(struct drive *d, const void *arg)
{
	unsigned type = *(const unsigned *)arg;

	if (!d->frames[type])
		return false;
	d->frames[type]--;
	return true;
}

static int command_await(struct drive *d, const struct words *w, struct err *e)
{
	const char *text = words_get(w, "text"), *frame = words_get(w, "frame");
	unsigned type = frame ? talk_agent_type(frame) : AGENT_NONE;

	for (unsigned n = words_number(w, "n", 1); n; n--)
		if (frame ? drive_until(d, await_frame, &type, e)
			  : drive_until(d, await_text, text ? text : "", e))
			return err_wrap(e, "await %s", frame ? frame : text ? text : "a byte");
	d->awaited = usage_now(d);
	return 0;
}

static int command_mark(struct drive *d, const struct words *w, struct err *e)
{
	(void)w;
	(void)e;
	d->mark = usage_now(d);
	trace_mark(d);
	return 0;
}

static int command_measure(struct drive *d, const struct words *w, struct err *e)
{
	const char *name = words_need(w, "name", e);

	if (!name)
		return -1;
	measure_say(d, name);
	trace_end(d, name);
	return 0;
}

static int command_sleep(struct drive *d, const struct words *w, struct err *e)
{
	return drive_for(d, words_number(w, "ms", 100), e);
}

static bool command_gone(struct drive *d, const void *arg)
{
	(void)arg;
	return d->pidfd < 0 && d->sock < 0 && d->console < 0;
}

static int command_exited(struct drive *d, const struct words *w, struct err *e)
{
	const char *reason = words_get(w, "reason");

	if (drive_until(d, command_gone, NULL, e))
		return -1;
	if (reason && !strstr(d->reason, reason))
		return err_set(e, ERR_INTERNAL, "it ended because '%s', not '%s'", d->reason,
			       reason);
	return d->status ? err_set(e, ERR_INTERNAL, "it ended with status %#x", d->status) : 0;
}

static int command_kill(struct drive *d, const struct words *w, struct err *e)
{
	(void)w;
	kill(d->pid, SIGKILL);
	return drive_until(d, command_gone, NULL, e);
}

/* The kernel forgets whose end is a machine's end when it takes another user id. */
static int command_leave(struct drive *d, const struct words *w, struct err *e)
{
	(void)w;
	if (!d->jailed)
		return err_set(e, ERR_INVALID, "a machine that is not jailed ends with drive");
	d->left = true;
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct drive *d, const struct words *w, struct err *e);
} commands[] = {
	{ "boot", drive_boot },         { "restore", drive_restore },
	{ "snapshot", drive_snapshot }, { "save", drive_save },
	{ "pause", command_pause },     { "continue", command_continue },
	{ "answer", command_answer },   { "stop", command_stop },
	{ "stats", command_stats },     { "hello", command_hello },
	{ "agent", command_agent },     { "await", command_await },
	{ "mark", command_mark },       { "measure", command_measure },
	{ "sleep", command_sleep },     { "exited", command_exited },
	{ "kill", command_kill },       { "http", drive_http },
	{ "leave", command_leave },     { "touched", drive_touched },
};

int drive_command(struct drive *d, const struct words *w, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, w->name))
			return commands[i].run(d, w, e);
	return err_set(e, ERR_INVALID, "there is no command '%s'", w->name);
}
