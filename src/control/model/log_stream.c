#include "control/model/log_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/control.h"

/* What `logging` says of one microVM or version: where its lines go. */
struct log_place {
	bool off;
	const char *group, *stream; /* NULL: the default */
};

static struct log_place place_of(const json_t *params)
{
	const json_t *logging = json_object_get(params, "logging");
	const json_t *watch = json_object_get(logging, "cloudWatch");

	return (struct log_place){
		.off = json_object_get(logging, "disabled"),
		.group = json_string_value(json_object_get(watch, "logGroup")),
		.stream = json_string_value(json_object_get(watch, "logStream")),
	};
}

/* Most microVMs say nothing about it, and there are many of them. */
static json_t *logging_params(const struct microvm *vm)
{
	return strstr(vm->params, "\"logging\"") ? json_loads(vm->params, 0, NULL) : NULL;
}

bool log_stream_wanted(const struct microvm *vm)
{
	json_auto_t *params = logging_params(vm);

	return !place_of(params).off;
}

/* YYYY/MM/DD[version]id, of the day in UTC. */
static char *stream_default_name(int64_t created_ms, int64_t version, const char *id)
{
	time_t seconds = (time_t)(created_ms / 1000);
	struct tm day;

	gmtime_r(&seconds, &day);
	return xasprintf("%04d/%02d/%02d[%lld.0]%s", day.tm_year + 1900, day.tm_mon + 1,
			 day.tm_mday, (long long)version, id);
}

static struct log_stream *stream_new(struct log_group *g, const char *name, int64_t created_ms)
{
	size_t size = strlen(name) + 1;
	struct log_stream *s = xcalloc(1, sizeof(*s) + size);

	s->group = g;
	s->created_ms = created_ms;
	memcpy(s->name, name, size);
	g->n_streams++;
	if (created_ms > g->deleted_ms && (!g->created_ms || created_ms < g->created_ms))
		g->created_ms = created_ms;
	return s;
}

static void stream_add(struct control *ctl, struct log_stream *s)
{
	order_add(&ctl->log_streams_by_name, &s->by_name, s->group->key, 0, s->name);
	order_add(&ctl->log_streams_by_time, &s->by_time, s->group->key, s->created_ms,
		  log_stream_id(s));
}

struct origin {
	const char *account, *image, *id;
	int64_t version, created_ms;
};

static struct log_stream *stream_of(struct control *ctl, const json_t *params,
				    const struct origin *of)
{
	struct log_place place = place_of(params);
	autofree char *group = xasprintf("/aws/lambda-microvms/%s", of->image);
	autofree char *name = stream_default_name(of->created_ms, of->version, of->id);
	struct log_group *g;

	if (place.off)
		return NULL;
	g = log_group_of(ctl, of->account, place.group ? place.group : group);
	if (place.stream && !log_stream_find(ctl, g, place.stream))
		return stream_new(g, place.stream, of->created_ms);
	/* Several may have been given one name: then the id behind it keeps them apart. */
	if (place.stream) {
		free(name);
		name = xasprintf("%s/%s", place.stream, of->id);
	}
	return stream_new(g, name, of->created_ms);
}

void log_stream_add_microvm(struct microvm *vm)
{
	json_auto_t *params = logging_params(vm);

	vm->stream = stream_of(vm->ctl, params,
			       &(struct origin){ vm->account, vm->origin.name, vm->id,
						 vm->origin.number, vm->started_ms });
	if (!vm->stream)
		return;
	vm->stream->vm = vm;
	stream_add(vm->ctl, vm->stream);
}

void log_stream_add_build(struct control *ctl, struct build *b)
{
	const struct image *image = b->version->image;

	if (b->stream)
		return;
	b->stream = stream_of(ctl, b->version->params,
			      &(struct origin){ image->account, image->name, b->id,
						b->version->number, b->created_ms });
	if (!b->stream)
		return;
	b->stream->build = b;
	b->stream->of_build = true;
	b->stream->last_ms = b->updated_ms;
	stream_add(ctl, b->stream);
}

void log_stream_load(struct control *ctl, const struct store_log_stream *row)
{
	struct log_group *g = log_group_of(ctl, row->account, row->log_group);
	struct log_stream *s = stream_new(g, row->name, row->created_ms);

	s->last_ms = row->ended_ms;
	s->of_build = row->of_build;
	s->kept_id = xstrdup(row->id);
	stream_add(ctl, s);
}

void log_stream_free(struct log_stream *s)
{
	struct control *ctl;

	if (!s)
		return;
	ctl = s->group->ctl;
	order_del(&ctl->log_streams_by_name, &s->by_name);
	order_del(&ctl->log_streams_by_time, &s->by_time);
	s->group->n_streams--;
	free(s->kept_id);
	free(s);
}

const char *log_stream_id(const struct log_stream *s)
{
	return s->vm ? s->vm->id : s->build ? s->build->id : s->kept_id;
}

int64_t log_stream_end(const struct log_stream *s)
{
	return s->vm ? s->vm->terminated_ms : s->build ? s->build->updated_ms : s->last_ms;
}

void log_stream_put(struct store_txn *t, const struct log_stream *s)
{
	store_put_log_stream(t, &(struct store_log_stream){
					.id = log_stream_id(s),
					.account = s->group->account,
					.log_group = s->group->name,
					.name = s->name,
					.of_build = s->of_build,
					.created_ms = s->created_ms,
					.ended_ms = log_stream_end(s),
				});
}

void log_stream_keep(struct log_stream *s)
{
	s->last_ms = log_stream_end(s);
	s->kept_id = xstrdup(log_stream_id(s));
	s->by_time.id = s->kept_id;
	if (s->vm)
		s->vm->stream = NULL;
	if (s->build)
		s->build->stream = NULL;
	s->vm = NULL;
	s->build = NULL;
}

bool log_stream_shown(const struct log_stream *s)
{
	return s && s->created_ms > s->group->deleted_ms;
}

struct log_stream *log_stream_find(const struct control *ctl, const struct log_group *g,
				   const char *name)
{
	struct order_node *n = order_from(&ctl->log_streams_by_name, g->key, 0, name);
	struct log_stream *s = n ? container_of(n, struct log_stream, by_name) : NULL;

	return s && !strcmp(s->name, name) ? s : NULL;
}
