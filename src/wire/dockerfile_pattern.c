/* dockerfile_pattern.c - matches patterns of variables.
 *
 * A pattern becomes a list of cells, and a match is a walk over the set of cells that may come
 * next. The time is therefore the product of both lengths, whatever a stranger writes. */

#include "wire/dockerfile_pattern.h"

#include <stdlib.h>
#include <string.h>

#include "wire/dockerfile_word.h"

struct dockerfile_cell {
	enum { CELL_BYTE, CELL_ANY, CELL_STAR } kind;
	char byte;
};

struct dockerfile_pattern {
	struct dockerfile_cell *cells;
	size_t n;
	bool *now, *next; /* cells before which a match may stand; n + 1 of them */
	bool alive;       /* there is one */
	uint64_t *work;
};

static const char *dockerfile_pattern_read(struct dockerfile_pattern *p, const char *text,
					   uint64_t *work)
{
	*p = (struct dockerfile_pattern){ .cells = xcalloc(strlen(text) + 1, sizeof(*p->cells)),
					  .work = work };
	for (; *text; text++) {
		struct dockerfile_cell *cell = &p->cells[p->n++];

		cell->kind = *text == '*' ? CELL_STAR : *text == '?' ? CELL_ANY : CELL_BYTE;
		if (*text == '\\' && (!text[1] || !strchr("*?\\}/", *++text)))
			return "a pattern has a '\\' that escapes nothing";
		cell->byte = *text;
	}
	p->now = xcalloc(p->n + 1, sizeof(*p->now));
	p->next = xcalloc(p->n + 1, sizeof(*p->next));
	return NULL;
}

static void dockerfile_pattern_free(struct dockerfile_pattern *p)
{
	free(p->cells);
	free(p->now);
	free(p->next);
}

static void dockerfile_pattern_reverse(struct dockerfile_pattern *p)
{
	for (size_t i = 0; i < p->n / 2; i++) {
		struct dockerfile_cell cell = p->cells[i];

		p->cells[i] = p->cells[p->n - 1 - i];
		p->cells[p->n - 1 - i] = cell;
	}
}

/* A star may match nothing, so that what follows it may come next as well. */
static void dockerfile_pattern_pass_stars(const struct dockerfile_pattern *p, bool *at)
{
	for (size_t i = 0; i < p->n; i++)
		if (at[i] && p->cells[i].kind == CELL_STAR)
			at[i + 1] = true;
}

static void dockerfile_pattern_step(struct dockerfile_pattern *p, char byte)
{
	bool *was = p->now;

	p->alive = false;
	memset(p->next, 0, (p->n + 1) * sizeof(*p->next));
	for (size_t i = 0; i < p->n; i++) {
		const struct dockerfile_cell *cell = &p->cells[i];

		if (!was[i] || (cell->kind == CELL_BYTE && cell->byte != byte))
			continue;
		p->next[cell->kind == CELL_STAR ? i : i + 1] = true;
		p->alive = true;
	}
	dockerfile_pattern_pass_stars(p, p->next);
	p->now = p->next;
	p->next = was;
}

/* Returns the length of the match at the start of @text, read backwards from its end if @backwards,
 * or -1. */
static ssize_t dockerfile_pattern_match(struct dockerfile_pattern *p, const char *text, size_t size,
					bool greedy, bool backwards)
{
	ssize_t found = -1;

	memset(p->now, 0, (p->n + 1) * sizeof(*p->now));
	p->now[0] = true;
	p->alive = true;
	dockerfile_pattern_pass_stars(p, p->now);
	for (size_t i = 0;; i++) {
		if (p->now[p->n])
			found = (ssize_t)i;
		if (i == size || (found >= 0 && !greedy) || !p->alive ||
		    !dockerfile_work(p->work, p->n + 1))
			return found;
		dockerfile_pattern_step(p, text[backwards ? size - 1 - i : i]);
	}
}

const char *dockerfile_pattern_trim(const char *pattern, const char *value, bool suffix,
				    bool greedy, uint64_t *work, struct buf *to)
{
	size_t size = strlen(value);
	struct dockerfile_pattern p;
	const char *why = dockerfile_pattern_read(&p, pattern, work);
	ssize_t cut = -1;

	if (!why) {
		if (suffix)
			dockerfile_pattern_reverse(&p);
		cut = dockerfile_pattern_match(&p, value, size, greedy, suffix);
	}
	if (cut < 0)
		cut = 0;
	if (!why && !dockerfile_work(work, size))
		why = DOCKERFILE_TOO_LONG;
	if (!why)
		buf_add(to, suffix ? value : value + cut, size - (size_t)cut);
	dockerfile_pattern_free(&p);
	return why;
}

const char *dockerfile_pattern_replace(const char *pattern, const char *value, bool all,
				       const char *with, uint64_t *work, struct buf *to)
{
	size_t size = strlen(value), i = 0, most = strlen(with) + 1;
	struct dockerfile_pattern p;
	const char *why = dockerfile_pattern_read(&p, pattern, work);
	bool done = false;

	while (!why && i < size && !done) {
		ssize_t n = dockerfile_pattern_match(&p, value + i, size - i, true, false);

		if (!dockerfile_work(work, n > 0 ? most : 1))
			why = DOCKERFILE_TOO_LONG;
		if (why)
			break;
		if (n <= 0) {
			buf_add(to, value + i++, 1);
			continue;
		}
		buf_add(to, with, most - 1);
		i += (size_t)n;
		done = !all;
	}
	if (!why)
		buf_adds(to, value + i);
	dockerfile_pattern_free(&p);
	return why;
}
