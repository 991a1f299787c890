/* dockerfile_expand.c - puts the values of variables in: "$A", "${A:-word}", "${A#pattern}".
 *
 * The text is read once from left to right, so that the time grows with its length, whatever is
 * left open. */

#include <ctype.h>
#include <string.h>

#include "base/limits.h"
#include "wire/dockerfile_pattern.h"
#include "wire/dockerfile_word.h"

#define DOCKERFILE_NESTING 32 /* of "${A:-${B:-...}}"; each level is a recursion */

struct dockerfile_cursor {
	const struct dockerfile_vars *vars;
	const char *at, *end;
	const char *why;              /* NULL, or what is wrong with the text */
	struct dockerfile_reading *r; /* its `say` takes the words of a "${A:?words}" that failed */
	char escape;
	int depth;
};

static void dockerfile_fail(struct dockerfile_cursor *c, const char *why)
{
	if (!c->why)
		c->why = why;
}

static char dockerfile_peek(const struct dockerfile_cursor *c)
{
	return c->at < c->end ? *c->at : '\0';
}

static void dockerfile_add(struct dockerfile_cursor *c, const char *value, struct buf *to)
{
	size_t n = strlen(value);

	if (!dockerfile_work(c->r->work, n) || to->size + n > LIMIT_DOCKERFILE)
		dockerfile_fail(c, DOCKERFILE_TOO_LONG);
	else
		buf_add(to, value, n);
}

/* The names are looked through one by one. */
static const char *dockerfile_value(struct dockerfile_cursor *c, const char *name)
{
	if (!dockerfile_work(c->r->work, c->vars->n + 1))
		dockerfile_fail(c, DOCKERFILE_TOO_LONG);
	return c->why ? NULL : dockerfile_vars_get(c->vars, name);
}

static void dockerfile_text(struct dockerfile_cursor *c, char stop, bool raw, struct buf *to);

/* "A: is not set", or the user's own words. */
static void dockerfile_demand(struct dockerfile_cursor *c, const char *name, const char *words,
			      const char *state)
{
	if (!c->r->say.size)
		buf_addf(&c->r->say, "the variable %s %s%s%s", name,
			 *words ? "is missing: " : "is ", *words ? words : state, "");
	dockerfile_fail(c, buf_str(&c->r->say));
}

/* Read "/pattern/with" or "//pattern/with" and the '}' behind it. */
static void dockerfile_replace(struct dockerfile_cursor *c, const char *value, struct buf *to)
{
	autobuf struct buf pattern = { 0 }, with = { 0 };
	bool all = dockerfile_peek(c) == '/';

	c->at += all;
	dockerfile_text(c, '/', true, &pattern);
	dockerfile_text(c, '}', false, &with);
	if (!c->why && value)
		dockerfile_fail(c, dockerfile_pattern_replace(buf_str(&pattern), value, all,
							      buf_str(&with), c->r->work, to));
}

static void dockerfile_trim(struct dockerfile_cursor *c, char how, const char *word,
			    const char *value, struct buf *to)
{
	bool greedy = *word == how;

	if (!c->why && value)
		dockerfile_fail(c, dockerfile_pattern_trim(word + greedy, value, how == '%', greedy,
							   c->r->work, to));
}

/* Read from behind "${NAME" to behind the '}'. */
static void dockerfile_modifier(struct dockerfile_cursor *c, const char *name, struct buf *to)
{
	const char *value = dockerfile_value(c, name);
	autobuf struct buf word = { 0 };
	char how = dockerfile_peek(c);
	bool colon = how == ':', set;

	c->at += how != '\0';
	if (colon && c->at < c->end)
		how = *c->at++;
	set = value && !(colon && !*value);
	if (how == '/' && !colon) {
		dockerfile_replace(c, value, to);
		return;
	}
	if (how == '}' && !colon) {
		dockerfile_add(c, value ? value : "", to);
		return;
	}
	if (!how || !strchr("+-?#%", how)) {
		dockerfile_fail(c, how ? "a '${' has a modifier that does not exist"
				       : "nothing closes a '${'");
		return;
	}
	dockerfile_text(c, '}', how == '#' || how == '%', &word);
	if (how == '#' || how == '%')
		dockerfile_trim(c, how, buf_str(&word), value, to);
	else if (how == '?' && !set && !c->why)
		dockerfile_demand(c, name, buf_str(&word), value ? "empty" : "not set");
	else if ((how == '-' && !set) || (how == '+' && set))
		dockerfile_add(c, buf_str(&word), to);
	else if (how != '+')
		dockerfile_add(c, value ? value : "", to);
}

/* A name is letters, digits and '_', or a number, or one of the shell's special characters, which
 * name nothing here. */
static size_t dockerfile_name(const struct dockerfile_cursor *c)
{
	const char *at = c->at;

	if (at < c->end && strchr("@*#?-$!", *at) && *at)
		return 1;
	if (at < c->end && isdigit((unsigned char)*at)) {
		while (at < c->end && isdigit((unsigned char)*at))
			at++;
		return (size_t)(at - c->at);
	}
	while (at < c->end && (isalnum((unsigned char)*at) || *at == '_'))
		at++;
	return (size_t)(at - c->at);
}

/* Read from behind a '$', which stands for itself if it begins no variable. */
static void dockerfile_variable(struct dockerfile_cursor *c, struct buf *to)
{
	autobuf struct buf name = { 0 };
	bool brace = dockerfile_peek(c) == '{';
	const char *value;
	size_t n;

	c->at += brace;
	n = dockerfile_name(c);
	if (!n && !brace) {
		buf_add(to, "$", 1);
		return;
	}
	if (!n) {
		dockerfile_fail(c, c->at == c->end ? "nothing closes a '${'"
						   : "a '${' is followed by no name");
		return;
	}
	buf_add(&name, c->at, n);
	c->at += n;
	if (brace) {
		dockerfile_modifier(c, buf_str(&name), to);
		return;
	}
	value = dockerfile_value(c, buf_str(&name));
	if (value)
		dockerfile_add(c, value, to);
}

static void dockerfile_quoted(struct dockerfile_cursor *c, char quote, bool raw, struct buf *to)
{
	while (!c->why && c->at < c->end) {
		char next = *c->at++;

		if (next == quote)
			return;
		if (next == '$' && quote == '"') {
			dockerfile_variable(c, to);
			continue;
		}
		if (next == c->escape && quote == '"') {
			char then = dockerfile_peek(c);

			if (c->at == c->end)
				break;
			if (raw)
				buf_add(to, &next, 1);
			if (then == '"' || then == '$' || then == c->escape)
				next = *c->at++;
			else if (raw)
				continue;
		}
		buf_add(to, &next, 1);
	}
	dockerfile_fail(c, c->depth > 1 ? "nothing closes a '${'" : "nothing closes a quote");
}

/* Read to behind an unquoted @stop, or to the end if @stop is 0. @raw keeps escapes, as patterns
 * need them. */
static void dockerfile_text(struct dockerfile_cursor *c, char stop, bool raw, struct buf *to)
{
	bool closed = !stop;

	if (++c->depth > DOCKERFILE_NESTING)
		dockerfile_fail(c, "'${' is nested too deeply");
	while (!c->why && c->at < c->end && !(stop && closed)) {
		char next = *c->at++;

		if (to->size > LIMIT_DOCKERFILE)
			dockerfile_fail(c, DOCKERFILE_TOO_LONG);
		else if (stop && next == stop)
			closed = true;
		else if (next == '$')
			dockerfile_variable(c, to);
		else if (c->r->quotes && (next == '"' || next == '\''))
			dockerfile_quoted(c, next, raw, to);
		else if (next != c->escape) /* An escape at the very end is dropped. */
			buf_add(to, &next, 1);
		else if (c->at < c->end) {
			if (raw)
				buf_add(to, &next, 1);
			buf_add(to, c->at++, 1);
		}
	}
	if (!closed)
		dockerfile_fail(c, "nothing closes a '${'");
	c->depth--;
}

const char *dockerfile_expand(const struct dockerfile_vars *v, const char *text, size_t size,
			      struct dockerfile_reading *r, struct buf *to)
{
	struct dockerfile_cursor c = { v, text, text + size, NULL, r, r->quotes ? r->escape : '\\',
				       0 };

	dockerfile_text(&c, 0, false, to);
	if (!dockerfile_work(r->work, size + 1))
		dockerfile_fail(&c, DOCKERFILE_TOO_LONG);
	return c.why;
}
