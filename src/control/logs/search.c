#include "control/logs/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/logs/lines.h"

static char *source_path(const struct log_source *s)
{
	return xasprintf("%s/%s", s->of_build ? "builds" : "microvms", s->id);
}

static void source_open(struct log_file *f, const struct log_source *s, int log_fd)
{
	autofree char *path = source_path(s);

	log_file_open(f, log_fd, path, s->at_ms);
}

void log_events_free(struct log_events *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->all[i].text);
	free(e->all);
	*e = (struct log_events){ 0 };
}

/* False: the answer has no room for it. */
static bool events_add(struct log_events *e, const struct log_line *line,
		       const struct log_source *source, size_t most)
{
	struct buf text = { 0 };

	log_clean(&text, line->text, line->size);
	if (e->n == most || (e->n && e->size + text.size + SEARCH_EVENT > SEARCH_ANSWER)) {
		buf_free(&text);
		return false;
	}
	if (!(e->n & (e->n - 1)))
		e->all = xrealloc(e->all, (e->n ? 2 * e->n : 1) * sizeof(*e->all));
	e->all[e->n++] =
		(struct log_event){ line->at, line->ms, (char *)text.data, text.size, source };
	e->size += text.size + SEARCH_EVENT;
	return true;
}

/* One log of a search, at its next line. */
struct search_log {
	const struct log_source *source;
	struct log_lines lines;
	struct log_line line;
	bool there; /* the line is */
};

static int place_compare(int64_t ms, const char *id, int64_t at, const struct log_place *p)
{
	int by = strcmp(id, p->id);

	if (ms != p->ms)
		return ms < p->ms ? -1 : 1;
	if (by)
		return by;
	return at < p->at ? -1 : at > p->at;
}

static void search_next(struct search_log *l, const struct log_search *s)
{
	l->there = log_lines_next(&l->lines, &l->line) && l->line.ms < s->to_ms;
}

static void search_open(struct search_log *l, const struct log_source *source,
			const struct log_search *s)
{
	int64_t from = s->from_ms > s->after.ms ? s->from_ms : s->after.ms;

	*l = (struct search_log){ .source = source };
	source_open(&l->lines.file, source, s->log_fd);
	l->lines.ended = source->ended;
	if (!strcmp(source->id, s->after.id) && s->after.ms >= s->from_ms)
		log_lines_from(&l->lines, s->after.at);
	else
		log_lines_from(&l->lines, log_file_seek(&l->lines.file, from));
	do
		search_next(l, s);
	while (l->there && place_compare(l->line.ms, source->id, l->line.at, &s->after) <= 0);
}

static struct search_log *search_earliest(struct search_log *logs, size_t n)
{
	struct search_log *first = NULL;

	for (size_t i = 0; i < n; i++) {
		struct log_place p;

		if (!logs[i].there)
			continue;
		if (first) {
			p = (struct log_place){ .ms = first->line.ms, .at = first->line.at };
			snprintf(p.id, sizeof(p.id), "%s", first->source->id);
		}
		if (!first ||
		    place_compare(logs[i].line.ms, logs[i].source->id, logs[i].line.at, &p) < 0)
			first = &logs[i];
	}
	return first;
}

static size_t search_bytes(const struct search_log *logs, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += logs[i].lines.read;
	return bytes;
}

static void search_merge(struct log_search *s, struct search_log *logs)
{
	struct search_log *l;
	size_t passed = 0;

	while ((l = search_earliest(logs, s->n))) {
		s->more = log_pattern_matches(s->pattern, l->line.text, l->line.size) &&
			  !events_add(&s->events, &l->line, l->source, s->most);
		if (s->more)
			return;
		s->after = (struct log_place){ .ms = l->line.ms, .at = l->line.at };
		snprintf(s->after.id, sizeof(s->after.id), "%s", l->source->id);
		s->more = ++passed % 256 == 0 && search_bytes(logs, s->n) > SEARCH_BYTES;
		if (s->more)
			return;
		search_next(l, s);
	}
}

void log_search_run(struct log_search *s)
{
	struct search_log *logs = xcalloc(SEARCH_AT_ONCE, sizeof(*logs));

	s->more = false;
	for (size_t i = 0; i < s->n; i++)
		search_open(&logs[i], &s->sources[i], s);
	search_merge(s, logs);
	for (size_t i = 0; i < s->n; i++)
		log_lines_free(&logs[i].lines);
	free(logs);
}

/* One log. */

static void read_forward(struct log_read *r, struct log_lines *l)
{
	struct log_line line;

	while (l->read < SEARCH_BYTES && log_lines_next(l, &line)) {
		bool wanted = line.ms >= r->from_ms && line.ms < r->to_ms;

		if (line.ms >= r->to_ms ||
		    (wanted && !events_add(&r->events, &line, r->source, r->most)))
			break;
		if (wanted && r->events.n == 1)
			r->first = line.at;
		r->behind = line.next;
	}
}

/* Of the events before the place, the last ones that one answer has room for. */
static void read_backward(struct log_read *r, struct log_lines *l)
{
	int64_t begin = log_file_begin(&l->file), to = r->place;
	int64_t from = to - (int64_t)(SEARCH_ANSWER + LOG_LINE_MAX);
	struct log_events all = { 0 };
	struct log_line line;
	size_t first, size = 0;

	log_lines_from(l, from > begin ? from : begin);
	if (from > begin && !log_lines_next(l, &line))
		return; /* the piece of a line is no event */
	r->behind = l->at;
	while (log_lines_next(l, &line) && line.next <= to) {
		r->behind = line.next;
		if (line.ms < r->from_ms || line.ms >= r->to_ms)
			continue;
		all.size = 0; /* what is too much is dropped from the front */
		events_add(&all, &line, r->source, SIZE_MAX);
	}
	first = all.n;
	while (first && all.n - first < r->most &&
	       (size += all.all[first - 1].size + SEARCH_EVENT) <= SEARCH_ANSWER)
		first--;
	for (size_t i = 0; i < first; i++)
		free(all.all[i].text);
	if (all.n)
		memmove(all.all, all.all + first, (all.n - first) * sizeof(*all.all));
	all.n -= first;
	r->events = all;
	r->first = all.n ? all.all[0].at : from > begin ? from : begin;
}

void log_read_run(struct log_read *r)
{
	struct log_lines l = { .ended = r->source->ended };
	int64_t end;

	source_open(&l.file, r->source, r->log_fd);
	end = log_file_end(&l.file);
	if (r->place < 0)
		r->place = r->backward ? end : log_file_seek(&l.file, r->from_ms);
	if (r->place > end)
		r->place = end;
	if (r->backward && r->to_ms != INT64_MAX) {
		int64_t last = log_file_seek(&l.file, r->to_ms);

		r->place = last < r->place ? last : r->place;
	}
	r->first = r->behind = r->place;
	if (r->backward) {
		read_backward(r, &l);
	} else {
		log_lines_from(&l, r->place);
		read_forward(r, &l);
	}
	log_lines_free(&l);
}
