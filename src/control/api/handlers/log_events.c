/* log_events.c - CloudWatch Logs' events: of one stream, and searched for in many.
 *
 * The loop's thread finds the streams, and a worker reads them: it is given copies, since what it
 * reads may go meanwhile. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/steady.h"
#include "control/api/handlers/handlers.h"
#include "control/api/page.h"
#include "control/api/resolve.h"
#include "control/logs/retention.h"
#include "control/logs/search.h"
#include "control/storage/lanes.h"

#define EVENTS_WALK     20000 /* streams that one call looks at */
#define EVENTS_LATE_MS  60000 /* lines may come so long after an end */
#define EVENTS_TOKEN    "%c/%020lld"
#define EVENTS_TOKEN_AT 2

static struct log_source source_of(const struct log_stream *s)
{
	struct log_source source = { .name = xstrdup(s->name), .of_build = s->of_build };

	snprintf(source.id, sizeof(source.id), "%s", log_stream_id(s));
	source.ended = log_stream_end(s);
	source.at_ms = s->of_build ? s->last_ms : s->created_ms;
	return source;
}

static json_t *event_json(const struct log_event *e)
{
	json_t *json = json_pack("{s:I,s:I}", "timestamp", (json_int_t)e->ms, "ingestionTime",
				 (json_int_t)e->ms);

	json_object_set_new(json, "message", json_stringn(e->text ? e->text : "", e->size));
	return json;
}

static bool range_ok(struct call *c)
{
	if (call_number(c, "startTime", 0) <= call_number(c, "endTime", INT64_MAX))
		return true;
	call_invalid(c, "startTime must not be behind endTime.");
	return false;
}

static int64_t range_begin(const struct call *c, const struct log_group *g)
{
	int64_t from = call_number(c, "startTime", 0);
	int64_t kept = retention_begin(c->ctl, g, steady_or_wall());

	return from > kept ? from : kept;
}

/* GetLogEvents. */

struct get_events {
	struct call *call;
	struct disk_task task;
	struct log_source source;
	struct log_read read;
};

static void get_run(struct disk_task *task)
{
	log_read_run(&container_of(task, struct get_events, task)->read);
}

static json_t *get_token(char way, int64_t place)
{
	autofree char *text = xasprintf(EVENTS_TOKEN, way, (long long)place);

	return json_string(text);
}

static void get_done(struct disk_task *task)
{
	struct get_events *get = container_of(task, struct get_events, task);
	struct log_events *found = &get->read.events;
	json_t *events = json_array();

	for (size_t i = 0; i < found->n; i++)
		json_array_append_new(events, event_json(&found->all[i]));
	call_answer(get->call, json_pack("{s:o,s:o,s:o}", "events", events, "nextForwardToken",
					 get_token('f', get->read.behind), "nextBackwardToken",
					 get_token('b', get->read.first)));
	log_events_free(found);
	free(get->source.name);
	free(get);
}

static bool get_place(struct call *c, struct log_read *r)
{
	const char *token = call_text(c, "nextToken");
	char *end = NULL;

	r->backward = !json_is_true(json_object_get(c->in, "startFromHead"));
	r->place = -1;
	if (!token)
		return true;
	if ((token[0] == 'f' || token[0] == 'b') && token[1] == '/' && token[2] >= '0' &&
	    token[2] <= '9' && strlen(token) <= 22)
		r->place = strtoll(token + EVENTS_TOKEN_AT, &end, 10);
	r->backward = token[0] == 'b';
	if (end && !*end)
		return true;
	call_invalid(c, "The specified nextToken is invalid.");
	return false;
}

void log_events_get(struct call *c)
{
	const struct log_group *g = call_log_group(c);
	const struct log_stream *s =
		g ? log_stream_find(c->ctl, g, call_text(c, "logStreamName")) : NULL;
	struct log_read read = { .log_fd = c->ctl->log_fd };
	struct get_events *get;

	if (!g)
		return;
	if (!log_stream_shown(s)) {
		call_not_found(c, "The specified log stream does not exist.");
		return;
	}
	if (!range_ok(c) || !get_place(c, &read))
		return;
	get = xcalloc(1, sizeof(*get));
	get->call = c;
	get->task.run = get_run;
	get->task.done = get_done;
	get->source = source_of(s);
	get->read = read;
	get->read.source = &get->source;
	get->read.from_ms = range_begin(c, g);
	get->read.to_ms = call_number(c, "endTime", INT64_MAX);
	get->read.most = (size_t)call_number(c, "limit", SEARCH_EVENTS);
	disk_task_start(lane(c->ctl, LANE_SEARCH), &get->task);
}

/* FilterLogEvents. */

struct filter_events {
	struct call *call;
	struct disk_task task;
	struct page page; /* its cursor alone */
	struct log_pattern pattern;
	struct log_source sources[SEARCH_AT_ONCE];
	struct log_search search;
	/* The streams come in batches, in the order of their beginnings: where this one begins, and
	 * the next; "": there is none. */
	int64_t batch_ms, next_ms;
	char batch[IPC_ID_SIZE], next[IPC_ID_SIZE];
};

static void filter_run(struct disk_task *task)
{
	log_search_run(&container_of(task, struct filter_events, task)->search);
}

static void filter_free(struct filter_events *f)
{
	for (size_t i = 0; i < f->search.n; i++)
		free(f->sources[i].name);
	log_events_free(&f->search.events);
	log_pattern_free(&f->pattern);
	json_decref(f->page.items);
	free(f);
}

/* 13 digits of the time, then the log and the place in it. */
static json_t *filter_event_id(const struct log_event *e)
{
	uint64_t hash = 14695981039346656037U;
	autofree char *text = NULL;

	for (const char *s = e->source->id; *s; s++)
		hash = (hash ^ (uint8_t)*s) * 1099511628211U;
	text = xasprintf("%013lld%020llu%020lld", (long long)e->ms, (unsigned long long)hash,
			 (long long)e->at);
	return json_string(text);
}

/* NULL: that was all. */
static char *filter_cursor(struct filter_events *f)
{
	const struct log_place *after = &f->search.after;
	autofree char *text = NULL;

	if (!f->search.more && !f->next[0])
		return NULL;
	text = f->search.more ? xasprintf("%lld/%s/%lld/%s", (long long)after->at, after->id,
					  (long long)f->batch_ms, f->batch)
			      : xasprintf("0//%lld/%s", (long long)f->next_ms, f->next);
	return page_cursor(&f->page, text, f->search.more ? after->ms : 0);
}

static void filter_done(struct disk_task *task)
{
	struct filter_events *f = container_of(task, struct filter_events, task);
	autofree char *cursor = filter_cursor(f);
	json_t *events = json_array(), *answer;

	for (size_t i = 0; i < f->search.events.n; i++) {
		const struct log_event *e = &f->search.events.all[i];
		json_t *json = event_json(e);

		json_object_set_new(json, "logStreamName", json_string(e->source->name));
		json_object_set_new(json, "eventId", filter_event_id(e));
		json_array_append_new(events, json);
	}
	answer = json_pack("{s:o,s:[]}", "events", events, "searchedLogStreams");
	if (cursor)
		json_object_set_new(answer, "nextToken", json_string(cursor));
	call_answer(f->call, answer);
	filter_free(f);
}

static bool filter_names(const struct call *c, const struct log_stream *s)
{
	const char *prefix = call_text(c, "logStreamNamePrefix");
	const json_t *names = json_object_get(c->in, "logStreamNames"), *name;
	size_t i;

	if (prefix)
		return !strncmp(s->name, prefix, strlen(prefix));
	json_array_foreach(names, i, name)
	{
		if (!strcmp(json_string_value(name), s->name))
			return true;
	}
	return !names;
}

static bool filter_wants(const struct filter_events *f, const struct log_stream *s)
{
	int64_t end = log_stream_end(s);

	return log_stream_shown(s) && filter_names(f->call, s) &&
	       (!end || end + EVENTS_LATE_MS >= f->search.from_ms) &&
	       s->created_ms < f->search.to_ms;
}

/* The streams that the request names, in one batch: the group may have any number of others. */
static bool filter_collect_named(struct filter_events *f, const struct log_group *g)
{
	const json_t *names = json_object_get(f->call->in, "logStreamNames"), *name;
	size_t i;

	if (!names || json_array_size(names) > SEARCH_AT_ONCE)
		return false;
	json_array_foreach(names, i, name)
	{
		const char *text = json_string_value(name);
		const struct log_stream *s = log_stream_find(f->call->ctl, g, text);
		bool again = false;

		for (size_t j = 0; s && j < f->search.n; j++)
			again |= !strcmp(f->sources[j].name, text);
		if (s && !again && filter_wants(f, s))
			f->sources[f->search.n++] = source_of(s);
	}
	return true;
}

static void filter_collect(struct filter_events *f, const struct log_group *g)
{
	struct order_node *n =
		order_from(&f->call->ctl->log_streams_by_time, g->key, f->batch_ms, f->batch);

	for (size_t seen = 0; n; n = order_next(n)) {
		const struct log_stream *s = container_of(n, struct log_stream, by_time);

		if (f->search.n == SEARCH_AT_ONCE || seen++ == EVENTS_WALK) {
			f->next_ms = n->at;
			snprintf(f->next, sizeof(f->next), "%s", n->id);
			return;
		}
		if (filter_wants(f, s))
			f->sources[f->search.n++] = source_of(s);
	}
}

/* "<at>/<id>/<batch>/<id of the batch>", which only we can make. */
static bool filter_place(struct filter_events *f)
{
	struct log_place *after = &f->search.after;
	char *text = f->page.after, *id, *batch;

	if (!f->page.after[0])
		return true;
	id = strchr(text, '/');
	batch = id ? strchr(id + 1, '/') : NULL;
	if (!batch)
		return false;
	*batch++ = '\0';
	after->ms = f->page.after_at;
	after->at = strtoll(text, NULL, 10);
	snprintf(after->id, sizeof(after->id), "%s", id + 1);
	f->batch_ms = strtoll(batch, &batch, 10);
	snprintf(f->batch, sizeof(f->batch), "%s", *batch == '/' ? batch + 1 : "");
	return true;
}

static bool filter_read(struct filter_events *f, const struct log_group *g)
{
	struct call *c = f->call;
	const char *pattern = call_text(c, "filterPattern");
	int64_t to = call_number(c, "endTime", INT64_MAX);
	struct err e;

	if (json_object_get(c->in, "logStreamNames") && call_text(c, "logStreamNamePrefix")) {
		call_invalid(c, "logStreamNames and logStreamNamePrefix are mutually exclusive.");
		return false;
	}
	if (!range_ok(c) || !page_begin(&f->page, c))
		return false;
	if (!filter_place(f)) {
		call_invalid(c, "The nextToken is not valid.");
		return false;
	}
	if (log_pattern_read(&f->pattern, pattern ? pattern : "", &e)) {
		call_invalid(c, "%s", e.text);
		return false;
	}
	f->search.log_fd = c->ctl->log_fd;
	f->search.sources = f->sources;
	f->search.pattern = &f->pattern;
	f->search.from_ms = range_begin(c, g);
	f->search.to_ms = to < INT64_MAX ? to + 1 : to;
	f->search.most = (size_t)call_number(c, "limit", SEARCH_EVENTS);
	return true;
}

void log_events_filter(struct call *c)
{
	const struct log_group *g = call_log_group(c);
	struct filter_events *f;

	if (!g)
		return;
	f = xcalloc(1, sizeof(*f));
	f->call = c;
	f->task.run = filter_run;
	f->task.done = filter_done;
	if (!filter_read(f, g)) {
		filter_free(f);
		return;
	}
	if (!filter_collect_named(f, g))
		filter_collect(f, g);
	disk_task_start(lane(c->ctl, LANE_SEARCH), &f->task);
}
