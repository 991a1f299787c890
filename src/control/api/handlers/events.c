/* events.c - /doze/v1/events: what happened in an account, from any place of the journal on. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/stamp.h"
#include "control/api/handlers/handlers.h"
#include "control/api/resolve.h"
#include "control/events/events.h"
#include "control/storage/lanes.h"

#define EVENTS_PIECE  (1 * MIB)   /* of the journal for one answer, at most */
#define EVENTS_RECENT (256 * KIB) /* of it that is shown to who names no place */
#define EVENTS_MOST   1000        /* in one answer */

static_assert(EVENTS_PIECE > JOURNAL_LINE && EVENTS_RECENT > JOURNAL_LINE, "a line fits");

struct events_read {
	struct disk_task task;
	struct call *call;
	int dir_fd; /* its own */
	char account[ACCOUNT_SIZE];
	char microvm[MICROVM_ID_SIZE]; /* "": any */
	char since[STAMP_SIZE];        /* "": any */
	bool latest;
	struct journal_place place;
	json_t *items;
	bool gap, failed;
};

/* The worker. */

static const char *event_text(const json_t *event, const char *member)
{
	const char *text = json_string_value(json_object_get(event, member));

	return text ? text : "";
}

static void events_take(struct events_read *r, const char *line, size_t size)
{
	json_t *event = memmem(line, size, r->microvm, strlen(r->microvm))
				? json_loadb(line, size, 0, NULL)
				: NULL;

	if (event && !strcmp(event_text(event, "recipientAccountId"), r->account) &&
	    strcmp(event_text(event, "eventTime"), r->since) >= 0)
		json_array_append(r->items, event);
	json_decref(event);
}

static void events_read_run(struct disk_task *task)
{
	struct events_read *r = container_of(task, struct events_read, task);
	autobuf struct buf text = { 0 };
	struct journal_place begin;
	size_t at = 0;

	if (r->latest)
		r->place = journal_latest(r->dir_fd, EVENTS_RECENT);
	r->failed = journal_read(r->dir_fd, &r->place, EVENTS_PIECE, &text, &r->gap);
	begin = r->place;
	begin.at -= (int64_t)text.size;
	while (at < text.size && json_array_size(r->items) < EVENTS_MOST) {
		const char *line = (const char *)text.data + at;
		size_t size = (size_t)((const char *)memchr(line, '\n', text.size - at) - line);

		events_take(r, line, size);
		at += size + 1;
	}
	r->place.at = begin.at + (int64_t)at;
}

/* The loop. */

static void events_read_done(struct disk_task *task)
{
	struct events_read *r = container_of(task, struct events_read, task);
	char next[JOURNAL_PLACE];
	struct err e;

	journal_place_print(&r->place, next);
	if (r->failed && err_set(&e, ERR_INTERNAL, "The events cannot be read."))
		call_fail(r->call, &e);
	else
		call_answer(r->call, json_pack("{s:O,s:s,s:b}", "items", r->items, "next", next,
					       "gap", (int)r->gap));
	json_decref(r->items);
	close(r->dir_fd);
	free(r);
}

void events_list(struct call *c)
{
	const char *after = call_text(c, "after"), *microvm = call_text(c, "microvm");
	int64_t since_s = call_number(c, "since", 0);
	struct journal_place place = { 0 };
	struct events_read *r;

	if (after && !journal_place_parse(after, &place)) {
		call_invalid(c, "'after' must be the 'next' of an answer.");
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->task.run = events_read_run;
	r->task.done = events_read_done;
	r->call = c;
	r->place = place;
	r->latest = !after && !since_s;
	r->items = json_array();
	snprintf(r->account, sizeof(r->account), "%s", c->who->account);
	snprintf(r->microvm, sizeof(r->microvm), "%s", microvm ? microvm : "");
	if (since_s)
		stamp_text(1000 * since_s, r->since);
	r->dir_fd = fcntl(c->ctl->events->dir_fd, F_DUPFD_CLOEXEC, 3);
	if (r->dir_fd < 0)
		abort(); /* as if there were no memory */
	disk_task_start(lane(c->ctl, LANE_LOG), &r->task);
}
