#include "cli/progress.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/suggest.h"

#define ID_PREFIX "microvm-"
#define ID_SHORT  8 /* characters of an id on a terminal, where several ids share a line */

static const struct {
	const char *phase, *text;
} phases[] = {
	{ "waiting", "waiting for its turn" },
	{ "hook", "in its suspend hook" },
	{ "saving", "saving" },
	{ "publishing", "finishing its save" },
};

void progress_begin(struct progress *p, FILE *to, int columns)
{
	*p = (struct progress){ .to = to, .columns = columns };
	p->said = json_object();
	p->errors = json_object();
}

static long long progress_number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static const char *progress_phase(const json_t *item)
{
	const char *phase = json_text(item, "phase");

	for (size_t i = 0; i < ARRAY_SIZE(phases); i++)
		if (!strcmp(phases[i].phase, phase))
			return phases[i].text;
	return *phase ? phase : json_text(item, "state");
}

/* "saving, 120 of 512 MiB" */
static char *progress_text(const json_t *item)
{
	long long total = progress_number(item, "bytesTotal");

	if (*json_text(item, "error"))
		return xasprintf("not suspended: %s", json_text(item, "error"));
	if (total <= 0 || strcmp(json_text(item, "phase"), "saving") != 0)
		return xstrdup(progress_phase(item));
	return xasprintf("%s, %lld of %lld MiB", progress_phase(item),
			 progress_number(item, "bytesWritten") / (long long)MIB,
			 (total + (long long)MIB - 1) / (long long)MIB);
}

/* A text that changes whenever a new line is worth printing: each tenth of the bytes is. */
static char *progress_change(const json_t *item)
{
	long long total = progress_number(item, "bytesTotal");

	return xasprintf("%s %s %lld", json_text(item, "phase"), json_text(item, "error"),
			 total > 0 ? progress_number(item, "bytesWritten") * 10 / total : 0);
}

static void progress_lines(struct progress *p, const json_t *drain)
{
	const json_t *items = json_object_get(drain, "items");
	json_t *item, *before, *now = json_object();
	const char *id;
	size_t i;

	json_array_foreach(items, i, item)
	{
		autofree char *change = progress_change(item);
		autofree char *text = progress_text(item);

		id = json_text(item, "microvmId");
		json_object_set_new(now, id, json_string(change));
		/* What failed is named at the end, with what to do. */
		if (!*json_text(item, "error") && strcmp(json_text(p->said, id), change) != 0)
			fprintf(p->to, "%s: %s\n", id, text);
	}
	json_object_foreach(p->said, id, before)
	{
		(void)before;
		if (!json_object_get(now, id) && !json_object_get(p->errors, id))
			fprintf(p->to, "%s: suspended\n", id);
	}
	json_decref(p->said);
	p->said = now;
	fflush(p->to);
}

/* Writes the line over the one that was there. */
static void progress_draw(struct progress *p, const char *line)
{
	int size = (int)strlen(line), most = p->columns - 1;

	if (size > most)
		size = most;
	fprintf(p->to, "\r%.*s%*s", size, line, p->shown > size ? p->shown - size : 0, "");
	fflush(p->to);
	p->shown = size;
}

static void progress_rewrite(struct progress *p, const json_t *drain)
{
	const json_t *items = json_object_get(drain, "items");
	long long done = progress_number(drain, "suspended");
	long long all =
		done + progress_number(drain, "failed") + progress_number(drain, "remaining");
	autobuf struct buf line = { 0 };
	json_t *item;
	size_t i;

	buf_addf(&line, "suspended %lld of %lld", done, all);
	json_array_foreach(items, i, item)
	{
		autofree char *text = progress_text(item);
		const char *id = json_text(item, "microvmId");

		if (!strncmp(id, ID_PREFIX, strlen(ID_PREFIX)))
			id += strlen(ID_PREFIX);
		buf_addf(&line, "; %.*s %s", ID_SHORT, id, text);
	}
	progress_draw(p, buf_str(&line));
}

void progress_show(struct progress *p, const json_t *drain)
{
	const json_t *items = json_object_get(drain, "items");
	json_t *item;
	size_t i;

	if (!json_is_true(json_object_get(drain, "draining")))
		return; /* the daemon has not begun yet */
	json_array_foreach(items, i, item) if (*json_text(item, "error")) json_object_set_new(
		p->errors, json_text(item, "microvmId"), json_string(json_text(item, "error")));
	if (p->columns)
		progress_rewrite(p, drain);
	else
		progress_lines(p, drain);
	json_decref(p->last);
	p->last = json_deep_copy(drain);
}

static void progress_failure(struct buf *ids, const char *id, const char *why)
{
	say_text("%s is not suspended: %s", id, why);
	buf_addf(ids, " %s", id);
}

/* Says once what to do with all of them. */
static void progress_advise(const struct conf *conf, struct buf *ids)
{
	autofree char *suspend_words = xasprintf("suspend%s", buf_str(ids));
	autofree char *rm_words = xasprintf("rm%s", buf_str(ids));
	autofree char *up = command_text(conf, "up");
	autofree char *suspend = command_text(conf, suspend_words);
	autofree char *rm = command_text(conf, rm_words);

	say_text("'%s' takes over what still runs. Try '%s' then, or '%s' to end it", up, suspend,
		 rm);
}

/* Names the microVMs that were under way when the daemon ended. */
static unsigned progress_broken_off(const struct progress *p, struct buf *ids, const char *log)
{
	const json_t *items = json_object_get(p->last, "items");
	unsigned n = 0;
	json_t *item;
	size_t i;

	json_array_foreach(items, i, item)
	{
		autofree char *text = progress_text(item);
		autofree char *why = NULL;

		if (*json_text(item, "error"))
			continue;
		why = xasprintf("the daemon ended while it was %s; %s says why", text, log);
		progress_failure(ids, json_text(item, "microvmId"), why);
		n++;
	}
	return n;
}

unsigned progress_end(struct progress *p, bool clean, const struct conf *conf, const char *log)
{
	unsigned failed = (unsigned)progress_number(p->last, "failed");
	unsigned n = (unsigned)json_object_size(p->errors);
	autobuf struct buf ids = { 0 };
	const char *id;
	json_t *why;

	if (p->shown)
		fputc('\n', p->to);
	json_object_foreach(p->errors, id, why) progress_failure(&ids, id, json_string_value(why));
	if (!clean)
		n += progress_broken_off(p, &ids, log);
	if (ids.size)
		progress_advise(conf, &ids);
	if (failed > n || (!clean && !n)) {
		autofree char *up = command_text(conf, "up");

		say_text("not every microVM is suspended: %s says which, and why. '%s' takes over "
			 "those that still run",
			 log, up);
		n = failed > n ? failed : 1;
	}
	json_decref(p->said);
	json_decref(p->errors);
	json_decref(p->last);
	*p = (struct progress){ 0 };
	return n;
}
