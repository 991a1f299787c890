/* log_streams.c - CloudWatch Logs' streams of a group. */

#include <string.h>

#include "control/api/handlers/handlers.h"
#include "control/api/page.h"
#include "control/api/resolve.h"

static json_t *stream_json(const struct call *c, const struct log_stream *s)
{
	autofree char *arn =
		xasprintf("arn:aws:logs:%s:%s:log-group:%s:log-stream:%s", c->ctl->conf->region,
			  s->group->account, s->group->name, s->name);
	json_t *json = json_pack("{s:s,s:I,s:s}", "logStreamName", s->name, "creationTime",
				 (json_int_t)s->created_ms, "arn", arn);

	if (s->last_ms) {
		json_object_set_new(json, "firstEventTimestamp",
				    json_integer(s->of_build ? s->last_ms : s->created_ms));
		json_object_set_new(json, "lastEventTimestamp", json_integer(s->last_ms));
		json_object_set_new(json, "lastIngestionTime", json_integer(s->last_ms));
	}
	return json;
}

/* How a list is walked: by which order, and which way. */
struct walk {
	const struct order *order;
	bool by_time, down;
	const char *group, *prefix;
};

static struct log_stream *walk_stream(const struct walk *w, struct order_node *n)
{
	return w->by_time ? container_of(n, struct log_stream, by_time)
			  : container_of(n, struct log_stream, by_name);
}

/* From above, names with a prefix begin where those that are behind it end. */
static struct order_node *walk_first(const struct walk *w, struct page *p)
{
	autofree char *behind = xasprintf("%s\xff", w->prefix);

	if (!w->down)
		return page_from(p, w->order, w->group, w->prefix);
	if (p->begun && *w->prefix)
		return order_before(w->order, w->group, 0, behind);
	return page_first(p, w->order, w->group);
}

void log_streams_describe(struct call *c)
{
	const struct log_group *g = call_log_group(c);
	const char *by = call_text(c, "orderBy"), *prefix = call_text(c, "logStreamNamePrefix");
	struct walk w = { .by_time = by && !strcmp(by, "LastEventTime"),
			  .down = json_is_true(json_object_get(c->in, "descending")),
			  .prefix = prefix ? prefix : "" };
	struct page p;

	if (!g)
		return;
	if (w.by_time && prefix) {
		call_invalid(c, "Cannot order by LastEventTime with a logStreamNamePrefix.");
		return;
	}
	if (!page_begin(&p, c))
		return;
	p.name = "logStreams";
	w.group = g->key;
	w.order = w.by_time ? &c->ctl->log_streams_by_time : &c->ctl->log_streams_by_name;
	for (struct order_node *n = walk_first(&w, &p); n && !p.more;
	     n = w.down ? order_prev(n) : order_next(n)) {
		const struct log_stream *s = walk_stream(&w, n);

		if (prefix && strncmp(s->name, prefix, strlen(prefix)) != 0)
			break;
		if (log_stream_shown(s) && page_takes(&p, n->id, n->at))
			page_add(&p, stream_json(c, s));
	}
	page_answer(&p);
}
