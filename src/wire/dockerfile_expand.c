/* Puts the values of variables in: "$A", "${A}", "${A:-word}".  The text is read once from left to
 * right, so that the time grows with its length, whatever is left open. */

#include <ctype.h>
#include <string.h>

#include "base/limits.h"
#include "wire/dockerfile_word.h"

#define DOCKERFILE_NESTING 32 /* of "${A:-${B:-...}}"; each level is a recursion */

struct dockerfile_cursor {
	const struct dockerfile_vars *vars;
	const char *at, *end;
	const char *why; /* NULL, or what is wrong with the text */
	char escape;
	int depth;
};

/* @to is NULL inside a word that is not wanted: it is read only to find its end. */
static void dockerfile_put(struct buf *to, const char *data, size_t size)
{
	if (to)
		buf_add(to, data, size);
}

static void dockerfile_text(struct dockerfile_cursor *c, char stop, bool unquote, struct buf *to);

/* Read from behind "${NAME" to behind the '}'. */
static void dockerfile_modifier(struct dockerfile_cursor *c, const char *value, struct buf *to)
{
	bool colon = c->at < c->end && *c->at == ':', set, word;

	c->at += colon;
	set = value && !(colon && !*value);
	word = c->at < c->end && ((*c->at == '-' && !set) || (*c->at == '+' && set));
	if (to && !word && !(c->at < c->end && *c->at == '+'))
		buf_adds(to, value ? value : "");
	if (word)
		c->at++;
	dockerfile_text(c, '}', true, word ? to : NULL);
}

/* Read from behind a '$', which stands for itself if it begins no variable. */
static void dockerfile_variable(struct dockerfile_cursor *c, struct buf *to)
{
	autobuf struct buf name = { 0 };
	const char *begin = c->at, *value;
	bool brace = c->at < c->end && *c->at == '{';

	for (c->at += brace; c->at < c->end && (isalnum((unsigned char)*c->at) || *c->at == '_');)
		c->at++;
	if (c->at == begin + brace) {
		c->at = begin;
		dockerfile_put(to, "$", 1);
		return;
	}
	buf_add(&name, begin + brace, (size_t)(c->at - begin) - brace);
	value = dockerfile_vars_get(c->vars, buf_str(&name));
	if (brace)
		dockerfile_modifier(c, value, to);
	else if (to && value)
		buf_adds(to, value);
}

/* Take the character behind an escape character as it is. */
static void dockerfile_escaped(struct dockerfile_cursor *c, char quote, struct buf *to)
{
	if (quote && *c->at != '"' && *c->at != '$' && *c->at != c->escape)
		dockerfile_put(to, &c->escape, 1);
	dockerfile_put(to, c->at++, 1);
}

/* Read to behind an unquoted @stop, or to the end if @stop is 0. */
static void dockerfile_text(struct dockerfile_cursor *c, char stop, bool unquote, struct buf *to)
{
	bool closed = !stop;
	char quote = 0;

	if (++c->depth > DOCKERFILE_NESTING)
		c->why = "'${' is nested too deeply";
	while (!c->why && c->at < c->end && !(stop && closed)) {
		char next = *c->at++;

		if (to && to->size > LIMIT_DOCKERFILE)
			c->why = "its variables make it too long";
		else if (next == c->escape && c->at < c->end && quote != '\'' &&
			 (unquote || *c->at == '$'))
			dockerfile_escaped(c, quote, to);
		else if (unquote && quote && next == quote)
			quote = 0;
		else if (unquote && !quote && (next == '"' || next == '\''))
			quote = next;
		else if (next == '$' && quote != '\'')
			dockerfile_variable(c, to);
		else if (stop && next == stop && !quote)
			closed = true;
		else
			dockerfile_put(to, &next, 1);
	}
	if (!c->why && !closed)
		c->why = "nothing closes a '${'";
	c->depth--;
}

const char *dockerfile_expand(const struct dockerfile_vars *v, const char *text, size_t size,
			      char escape, bool unquote, struct buf *to)
{
	struct dockerfile_cursor c = { v, text, text + size, NULL, escape, 0 };

	dockerfile_text(&c, 0, unquote, to);
	return c.why;
}
