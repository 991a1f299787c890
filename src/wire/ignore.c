/* ignore.c - the rules of a .dockerignore.
 *
 * A rule becomes a list of cells, and a match walks over the set of cells that may come next, so
 * that the time is the product of both lengths, whatever a stranger writes. */

#include "wire/ignore.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

#define IGNORE_RULES 4096
#define IGNORE_LONG  4096 /* bytes of a rule; a longer one is no path */

enum ignore_kind {
	IGNORE_BYTE,
	IGNORE_ANY,     /* '?' */
	IGNORE_STAR,    /* '*' */
	IGNORE_CLASS,   /* "[a-z]", "[^a-z]" */
	IGNORE_MAYBE,   /* "**" and the '/' behind it: the cell behind the next may come as well */
	IGNORE_FOLDERS, /* all bytes up to some '/' */
	IGNORE_REST,    /* "**" at the end */
};

struct ignore_cell {
	enum ignore_kind kind;
	uint8_t bytes[256 / 8]; /* that match, of a byte and of a class */
};

struct ignore_rule {
	bool takes_in; /* "!" */
	struct ignore_cell *cells;
	size_t n;
};

struct ignore {
	struct ignore_rule *rules;
	size_t n;
	bool takes_in; /* one of the rules does */
	bool gave_up;
	uint64_t work; /* cells that were looked at */
};

static struct ignore_cell *ignore_add(struct ignore_rule *r, enum ignore_kind kind)
{
	r->cells = xrealloc(r->cells, (r->n + 1) * sizeof(*r->cells));
	r->cells[r->n] = (struct ignore_cell){ .kind = kind };
	return &r->cells[r->n++];
}

static void ignore_allow(struct ignore_cell *cell, unsigned char byte)
{
	cell->bytes[byte / 8] = (uint8_t)(cell->bytes[byte / 8] | 1 << byte % 8);
}

/* Reads from behind a '['.  Returns what stands behind the ']', or NULL if there is none. */
static const char *ignore_class(const char *at, struct ignore_cell *cell)
{
	bool other = *at == '^' || *at == '!'; /* than what it lists */
	const char *first = at + (other ? 1 : 0);

	at = first;

	for (; *at && (*at != ']' || at == first); at++) {
		unsigned from, to;

		if (*at == '\\' && at[1])
			at++;
		from = to = (unsigned char)*at;
		if (at[1] == '-' && at[2] && at[2] != ']') {
			at += 2;
			if (*at == '\\' && at[1])
				at++;
			to = (unsigned char)*at;
		}
		for (; from <= to; from++)
			ignore_allow(cell, (unsigned char)from);
	}
	for (size_t i = 0; other && i < sizeof(cell->bytes); i++)
		cell->bytes[i] = (uint8_t)~cell->bytes[i];
	cell->bytes['/' / 8] = (uint8_t)(cell->bytes['/' / 8] & ~(1 << '/' % 8));
	return *at ? at + 1 : NULL;
}

/* Reads from behind the first '*'. */
static const char *ignore_stars(const char *at, struct ignore_rule *r)
{
	if (*at != '*') {
		ignore_add(r, IGNORE_STAR);
		return at;
	}
	at++;
	at += *at == '/';
	if (!*at) {
		ignore_add(r, IGNORE_REST);
		return at;
	}
	ignore_add(r, IGNORE_MAYBE);
	ignore_add(r, IGNORE_FOLDERS);
	return at;
}

/* Returns false for a rule that can match nothing. */
static bool ignore_compile(struct ignore_rule *r, const char *at)
{
	while (at && *at) {
		char c = *at++;

		if (c == '*') {
			at = ignore_stars(at, r);
		} else if (c == '?') {
			ignore_add(r, IGNORE_ANY);
		} else if (c == '[') {
			at = ignore_class(at, ignore_add(r, IGNORE_CLASS));
		} else {
			if (c == '\\' && *at)
				c = *at++;
			ignore_allow(ignore_add(r, IGNORE_BYTE), (unsigned char)c);
		}
	}
	return at && r->n;
}

/* "a//b/./../c/" is "a/c", and a '/' at the start says nothing. */
static void ignore_clean(const char *text, struct buf *to)
{
	while (*text) {
		size_t n = strcspn(text, "/");

		if (n == 2 && !memcmp(text, "..", 2)) {
			while (to->size && to->data[--to->size] != '/')
				;
		} else if (n && !(n == 1 && *text == '.')) {
			buf_adds(to, to->size ? "/" : "");
			buf_add(to, text, n);
		}
		text += n;
		text += *text == '/';
	}
}

static void ignore_line(struct ignore *i, const char *line, size_t size)
{
	autobuf struct buf text = { 0 }, clean = { 0 };
	struct ignore_rule rule = { 0 };
	const char *at;

	while (size && isspace((unsigned char)line[size - 1]))
		size--;
	i->gave_up = i->gave_up || i->n == IGNORE_RULES;
	if (!size || *line == '#' || size > IGNORE_LONG || i->gave_up || memchr(line, '\0', size))
		return;
	buf_add(&text, line, size);
	at = buf_str(&text);
	at += strspn(at, " \t");
	rule.takes_in = *at == '!';
	at += rule.takes_in;
	at += strspn(at, " \t");
	ignore_clean(at, &clean);
	if (!ignore_compile(&rule, buf_str(&clean))) {
		free(rule.cells);
		return;
	}
	i->rules = xrealloc(i->rules, (i->n + 1) * sizeof(*i->rules));
	i->rules[i->n++] = rule;
	i->takes_in = i->takes_in || rule.takes_in;
}

struct ignore *ignore_parse(const char *text, size_t size)
{
	struct ignore *i = xcalloc(1, sizeof(*i));
	const char *end = text + size;

	if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;

		ignore_line(i, text, (size_t)(stop - text));
		text = newline ? newline + 1 : end;
	}
	return i;
}

void ignore_free(struct ignore *i)
{
	for (size_t n = 0; i && n < i->n; n++)
		free(i->rules[n].cells);
	if (i)
		free(i->rules);
	free(i);
}

/* Cells that may match nothing let those behind them come as well. */
static void ignore_pass(const struct ignore_rule *r, bool *at)
{
	for (size_t i = 0; i < r->n; i++) {
		enum ignore_kind kind = r->cells[i].kind;

		if (!at[i])
			continue;
		if (kind == IGNORE_STAR || kind == IGNORE_REST || kind == IGNORE_MAYBE)
			at[i + 1] = true;
		if (kind == IGNORE_MAYBE)
			at[i + 2] = true;
	}
}

/* Returns whether the rule may still match. */
static bool ignore_step(const struct ignore_rule *r, const bool *now, bool *next, unsigned char c)
{
	bool alive = false;

	memset(next, 0, r->n + 1);
	for (size_t i = 0; i < r->n; i++) {
		const struct ignore_cell *cell = &r->cells[i];

		if (!now[i])
			continue;
		if ((cell->kind == IGNORE_STAR && c != '/') || cell->kind == IGNORE_REST ||
		    cell->kind == IGNORE_FOLDERS)
			next[i] = alive = true;
		if ((cell->kind == IGNORE_ANY && c != '/') ||
		    (cell->kind == IGNORE_FOLDERS && c == '/') ||
		    ((cell->kind == IGNORE_BYTE || cell->kind == IGNORE_CLASS) &&
		     (cell->bytes[c / 8] >> c % 8 & 1)))
			next[i + 1] = alive = true;
	}
	ignore_pass(r, next);
	return alive;
}

static bool ignore_rule_matches(const struct ignore_rule *r, const char *path, uint64_t *work)
{
	bool *now = xcalloc(r->n + 1, sizeof(*now)), *next = xcalloc(r->n + 1, sizeof(*next));
	bool found = false, alive = true;

	now[0] = true;
	ignore_pass(r, now);
	for (; !found && alive && *work <= LIMIT_IGNORE_WORK; path++) {
		bool *was = now;

		found = now[r->n] && (!*path || *path == '/');
		if (!*path)
			break;
		alive = ignore_step(r, now, next, (unsigned char)*path);
		*work += r->n;
		now = next;
		next = was;
	}
	free(now);
	free(next);
	return found;
}

bool ignore_gave_up(const struct ignore *i)
{
	return i->gave_up || i->work > LIMIT_IGNORE_WORK;
}

bool ignore_matches(struct ignore *i, const char *path)
{
	if (!*path)
		return false; /* the context itself */
	for (size_t n = i->n; n--;)
		if (ignore_rule_matches(&i->rules[n], path, &i->work))
			return !i->rules[n].takes_in;
	return false;
}

bool ignore_takes_in(const struct ignore *i)
{
	return i->takes_in;
}
