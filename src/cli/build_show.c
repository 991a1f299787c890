#include "cli/build_show.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

void build_show_begin(struct build_show *s, FILE *to, int columns)
{
	*s = (struct build_show){ .to = to, .columns = columns };
}

void build_show_free(struct build_show *s)
{
	free(s->under_way);
	buf_free(&s->line);
	*s = (struct build_show){ 0 };
}

void build_show_event(struct build_show *s, const char *name, json_t *event)
{
	json_t *whole = json_pack("{s:s}", "event", name);

	json_object_update(whole, event);
	json_decref(event);
	json_dumpf(whole, s->to, JSON_COMPACT);
	fputc('\n', s->to);
	fflush(s->to);
	json_decref(whole);
}

static long long show_number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

char *build_show_label(const json_t *step)
{
	autofree char *stage = show_number(step, "stages")
				       ? xasprintf("[%lld/%lld] ", show_number(step, "stage"),
						   show_number(step, "stages"))
				       : xstrdup("");

	if (!show_number(step, "part"))
		return xstrdup(json_text(step, "text"));
	return xasprintf("%sSTEP %lld/%lld %s", stage, show_number(step, "part"),
			 show_number(step, "parts"), json_text(step, "text"));
}

void build_show_clear(struct build_show *s)
{
	if (s->shown)
		fprintf(s->to, "\r%*s\r", s->shown, "");
	s->shown = 0;
	fflush(s->to);
}

/* How many bytes of a text in UTF-8 take so many columns; *columns becomes how many they take. */
static size_t show_fit(const char *text, int most, int *columns)
{
	size_t n = 0;

	for (*columns = 0; text[n]; *columns += 1) {
		size_t next = n + 1;

		if (*columns == most)
			break;
		while (((unsigned char)text[next] & 0xc0) == 0x80)
			next++;
		n = next;
	}
	return n;
}

/* Writes the moving line over the one that was there. */
static void show_draw(struct build_show *s, const char *line)
{
	int columns;
	size_t size = show_fit(line, s->columns - 1, &columns);

	fprintf(s->to, "\r%.*s%*s", (int)size, line, s->shown > columns ? s->shown - columns : 0,
		"");
	fflush(s->to);
	s->shown = columns;
}

static void show_ended(struct build_show *s, const json_t *step)
{
	autofree char *label = build_show_label(step);
	bool cached = !strcmp(json_text(step, "detail"), "cached");

	build_show_clear(s);
	fprintf(s->to, "%7.1f s  %s%s\n", json_number_value(json_object_get(step, "seconds")),
		label, cached ? " (cached)" : "");
	fflush(s->to);
}

static void show_under_way(struct build_show *s, const json_t *step)
{
	autofree char *label = build_show_label(step);
	const char *detail = json_text(step, "detail");
	autofree char *line =
		xasprintf("%7.0f s  %s%s%s", json_number_value(json_object_get(step, "seconds")),
			  label, *detail ? "  " : "", detail);

	if (s->columns)
		show_draw(s, line);
}

/* Remembers a text; false: it is the one that was there. */
static bool show_changes(struct build_show *s, char *text)
{
	bool same = s->under_way && !strcmp(s->under_way, text);

	free(s->under_way);
	s->under_way = text;
	return !same;
}

static void show_step(struct build_show *s, const json_t *step)
{
	bool ended = json_is_true(json_object_get(step, "ended"));
	/* Something of a step is worth an event if its beginning, detail or end is new. */
	bool news =
		show_changes(s, xasprintf("%zu %d %s", s->ended, ended, json_text(step, "detail")));

	if (s->json && news)
		build_show_event(s, "step", json_deep_copy(step));
	else if (!s->json && ended)
		show_ended(s, step);
	else if (!s->json)
		show_under_way(s, step);
	s->ended += ended;
}

void build_show_steps(struct build_show *s, const json_t *build)
{
	const json_t *steps = json_object_get(build, "steps");
	json_t *step;
	size_t i;

	/* A daemon that was restarted counts anew, from the step under way. */
	if ((size_t)show_number(build, "stepCount") < s->ended) {
		s->ended = 0;
		return;
	}
	json_array_foreach(steps, i, step) show_step(s, step);
	if (!json_array_size(steps) && s->columns && !s->json &&
	    !strcmp(json_text(build, "buildState"), "PENDING"))
		show_draw(s, "            waiting for its turn");
}

/* A warning of doze's own, and the lines that belong to it. */
static bool show_is_warning(const struct build_show *s, const char *line)
{
	static const char begins[] = "doze: warning: ", goes_on[] = "doze:    ";

	return !strncmp(line, begins, sizeof(begins) - 1) ||
	       (s->warns && !strncmp(line, goes_on, sizeof(goes_on) - 1));
}

static void show_line(struct build_show *s, const char *line)
{
	s->warns = show_is_warning(s, line);
	if (!s->verbose && !s->warns)
		return;
	if (s->json) {
		/* NULL: it is no UTF-8. */
		build_show_event(s, s->warns ? "warning" : "log",
				 json_pack("{s:s*}", "text", line));
		return;
	}
	build_show_clear(s);
	fprintf(s->to, "%s\n", line);
}

void build_show_log(struct build_show *s, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		const char *end = memchr(at, '\n', size);
		size_t n = end ? (size_t)(end - at) : size;

		buf_add(&s->line, at, n);
		if (end) {
			show_line(s, buf_str(&s->line));
			buf_clear(&s->line);
		}
		at += n + (end != NULL);
		size -= n + (end != NULL);
	}
	fflush(s->to);
}

void build_show_log_end(struct build_show *s)
{
	if (s->line.size)
		build_show_log(s, "\n", 1);
}

/* The beginning of the last lines, or of what follows an empty log. */
static const char *show_tail(const char *log)
{
	size_t n = 0;
	const char *at = log + strlen(log);

	while (at > log && at[-1] == '\n')
		at--;
	for (; at > log; at--)
		if (at[-1] == '\n' && ++n == BUILD_TAIL)
			break;
	return at;
}

static json_t *show_tail_lines(const char *tail)
{
	json_t *lines = json_array();

	while (*tail) {
		size_t n = strcspn(tail, "\n");

		json_array_append_new(lines, json_stringn(tail, n)); /* no UTF-8: left out */
		tail += n + (tail[n] == '\n');
	}
	return lines;
}

void build_show_failure(struct build_show *s, const json_t *step, const char *log)
{
	const char *tail = show_tail(log);
	autofree char *label = build_show_label(step);

	if (s->json) {
		build_show_event(
			s, "failure",
			json_pack("{s:O,s:o}", "step", step, "lines", show_tail_lines(tail)));
		return;
	}
	if (s->verbose || !*tail)
		return;
	build_show_clear(s);
	fprintf(s->to, "%s of '%s':\n%s%s", tail == log ? "The output" : "The last lines", label,
		tail, tail[strlen(tail) - 1] == '\n' ? "" : "\n");
	fflush(s->to);
}
