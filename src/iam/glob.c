/* glob.c - a compiled pattern is the text itself, with bytes below a space for what is not literal.
 * Such bytes are refused in the text of a policy. */

#include "iam/glob.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum {
	GLOB_END,
	GLOB_STAR,      /* any text */
	GLOB_ONE,       /* any character */
	GLOB_PART_STAR, /* likewise, without a colon */
	GLOB_PART_ONE,
	GLOB_VARIABLE, /* a key in lower case, GLOB_ELSE, a text, GLOB_ENDED */
	GLOB_ELSE,
	GLOB_ENDED,
};

#define GLOB_ROOM  4096 /* of a pattern whose variables have their values */
#define ARN_COLONS 5

static char glob_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

struct glob_reader {
	const char *at;
	struct buf to;
	enum glob_kind kind;
	unsigned colons;
	bool arn; /* it has all the parts of one */
};

static void glob_put(struct glob_reader *r, char c)
{
	uint8_t byte = (uint8_t)c;

	buf_add(&r->to, &byte, 1);
}

static void glob_put_text(struct glob_reader *r, const char *text, size_t size)
{
	bool fold = r->kind == GLOB_FOLD || r->kind == GLOB_NAME;

	for (size_t i = 0; i < size; i++)
		glob_put(r, fold ? glob_lower(text[i]) : text[i]);
}

static void glob_wildcard(struct glob_reader *r)
{
	bool part = r->arn && r->colons < ARN_COLONS;

	if (*r->at == '*')
		glob_put(r, part ? GLOB_PART_STAR : GLOB_STAR);
	else
		glob_put(r, part ? GLOB_PART_ONE : GLOB_ONE);
	r->at++;
}

/* "aws:username", or "aws:PrincipalTag/team, 'none'" with a value for where there is none. */
static int glob_variable_parts(struct glob_reader *r, size_t size, struct err *e)
{
	size_t name = strcspn(r->at, ",}"), fallback = 0;
	const char *text = r->at + name;

	if (!name || strcspn(r->at, " '\"${") < name)
		return err_set(e, ERR_INVALID, "a variable needs a name, as ${aws:username}");
	if (*text == ',') {
		text += 1 + strspn(text + 1, " ");
		fallback = (size_t)(r->at + size - text);
		if (fallback < 2 || text[0] != '\'' || text[fallback - 1] != '\'')
			return err_set(e, ERR_INVALID,
				       "the default of a variable stands in '', as ${key, 'text'}");
		text++;
		fallback -= 2;
	}
	glob_put(r, GLOB_VARIABLE);
	for (size_t i = 0; i < name; i++)
		glob_put(r, glob_lower(r->at[i]));
	if (r->at[name] == ',') {
		glob_put(r, GLOB_ELSE);
		glob_put_text(r, text, fallback);
	}
	glob_put(r, GLOB_ENDED);
	r->at += size + 1;
	return 0;
}

static int glob_variable(struct glob_reader *r, struct err *e)
{
	size_t size;

	r->at += 2;
	size = strcspn(r->at, "}");
	if (!r->at[size])
		return err_set(e, ERR_INVALID, "'${' begins a variable that has no end");
	if (size == 1 && strchr("*?$", *r->at)) {
		glob_put(r, *r->at);
		r->at += 2;
		return 0;
	}
	return glob_variable_parts(r, size, e);
}

static bool glob_is_arn(const char *text)
{
	unsigned colons = 0;

	for (; *text; text++)
		colons += *text == ':';
	return colons >= ARN_COLONS;
}

static bool glob_is_literal(char c)
{
	return (unsigned char)c >= ' ';
}

static void glob_measure(struct glob *g)
{
	while (g->prefix < g->size && glob_is_literal(g->text[g->prefix]))
		g->prefix++;
	while (g->suffix < g->size - g->prefix && glob_is_literal(g->text[g->size - g->suffix - 1]))
		g->suffix++;
	for (size_t i = g->prefix; i < g->size - g->suffix; i++)
		g->wildcards += !glob_is_literal(g->text[i]);
}

int glob_compile(struct glob *g, const char *text, enum glob_kind kind, bool variables,
		 struct err *e)
{
	struct glob_reader r = { .at = text, .kind = kind };
	bool wild = kind != GLOB_TEXT && kind != GLOB_FOLD;
	int rc = 0;

	*g = (struct glob){ .fold = kind == GLOB_FOLD || kind == GLOB_NAME };
	r.arn = kind == GLOB_ARN && glob_is_arn(text);
	while (!rc && *r.at) {
		if (variables && r.at[0] == '$' && r.at[1] == '{') {
			g->variables = true;
			rc = glob_variable(&r, e);
		} else if (wild && (*r.at == '*' || *r.at == '?')) {
			glob_wildcard(&r);
		} else if ((unsigned char)*r.at < ' ') {
			rc = err_set(e, ERR_INVALID, "a control character cannot be meant");
		} else {
			r.colons += *r.at == ':';
			glob_put_text(&r, r.at++, 1);
		}
	}
	if (rc) {
		buf_free(&r.to);
		return -1;
	}
	g->size = r.to.size;
	g->text = xstrdup(buf_str(&r.to));
	glob_measure(g);
	buf_free(&r.to);
	return 0;
}

void glob_free(struct glob *g)
{
	mem_free(&g->text);
}

/* Bytes, so far as the pattern has them. */
struct glob_filled {
	char text[GLOB_ROOM];
	size_t size;
};

static bool glob_fill(struct glob_filled *f, const char *text, size_t size)
{
	if (size >= sizeof(f->text) - f->size)
		return false;
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < ' ')
			return false; /* it would be read as a wildcard */
	memcpy(f->text + f->size, text, size);
	f->size += size;
	return true;
}

/* The value of a variable, or its default.  Nothing matches a variable that has several values. */
static bool glob_fill_variable(struct glob_filled *f, const char *name, const struct iam_query *q,
			       bool fold)
{
	struct iam_values v = { .n = 0 };
	size_t size = strcspn(name, "\x06\x07"), from = f->size;
	bool filled;
	char key[256];

	static_assert(GLOB_ELSE == 6 && GLOB_ENDED == 7, "what ends a name");
	if (size >= sizeof(key))
		return false;
	memcpy(key, name, size);
	key[size] = '\0';
	if (q->lookup)
		q->lookup(q->arg, key, &v);
	if (v.n == 1)
		filled = glob_fill(f, v.at[0], strlen(v.at[0]));
	else
		filled = !v.n && name[size] == GLOB_ELSE &&
			 glob_fill(f, name + size + 1, strcspn(name + size + 1, "\x07"));
	for (; fold && from < f->size; from++)
		f->text[from] = glob_lower(f->text[from]);
	return filled;
}

static bool glob_fill_all(struct glob_filled *f, const struct glob *g, const struct iam_query *q)
{
	f->size = 0;
	for (const char *p = g->text; *p; p++) {
		if (*p == GLOB_VARIABLE) {
			if (!glob_fill_variable(f, p + 1, q, g->fold))
				return false;
			p = strchr(p, GLOB_ENDED);
		} else if (f->size < sizeof(f->text) - 1) {
			f->text[f->size++] = *p;
		} else {
			return false;
		}
	}
	f->text[f->size] = '\0';
	return true;
}

/* How many bytes of @text one byte of the pattern takes; 0: they do not fit. */
static size_t glob_step(char pattern, const char *text, bool fold)
{
	size_t n = 1;

	if (pattern != GLOB_ONE && pattern != GLOB_PART_ONE)
		return pattern == (fold ? glob_lower(*text) : *text);
	if (pattern == GLOB_PART_ONE && *text == ':')
		return 0;
	while (((unsigned char)text[n] & 0xc0) == 0x80) /* one character of UTF-8 */
		n++;
	return n;
}

/* Where the text does not fit, only the last star can have taken too little: what stands before it
 * has been found at the first place where it can be. */
static bool glob_run(const char *p, const char *text, bool fold)
{
	const char *star = NULL, *taken = NULL;

	for (;;) {
		size_t n = 0;

		if (*p == GLOB_STAR || *p == GLOB_PART_STAR) {
			star = p++;
			taken = text;
			continue;
		}
		if (!*text)
			return !*p;
		n = *p ? glob_step(*p, text, fold) : 0;
		if (n) {
			p++;
			text += n;
			continue;
		}
		if (!star || (*star == GLOB_PART_STAR && *taken == ':'))
			return false;
		p = star + 1;
		text = ++taken;
	}
}

static bool glob_same(const struct glob *g, const char *pattern, const char *text, size_t size)
{
	if (!g->fold)
		return !memcmp(pattern, text, size);
	for (size_t i = 0; i < size; i++)
		if (pattern[i] != glob_lower(text[i]))
			return false;
	return true;
}

/* Most patterns differ from most texts in what they begin or end with, and most have one star. */
static bool glob_match_plain(const struct glob *g, const char *text)
{
	size_t size = strlen(text);
	const char *middle = text + g->prefix;

	if (!g->wildcards)
		return size == g->size && glob_same(g, g->text, text, size);
	if (size < g->prefix + g->suffix || !glob_same(g, g->text, text, g->prefix) ||
	    !glob_same(g, g->text + g->size - g->suffix, text + size - g->suffix, g->suffix))
		return false;
	if (g->wildcards == 1 && g->text[g->prefix] == GLOB_STAR)
		return true;
	if (g->wildcards == 1 && g->text[g->prefix] == GLOB_PART_STAR)
		return !memchr(middle, ':', size - g->prefix - g->suffix);
	return glob_run(g->text + g->prefix, middle, g->fold);
}

/* On its own: its variable is large, and the compiler fills it each time. */
static bool __attribute__((noinline))
glob_match_filled(const struct glob *g, const char *text, const struct iam_query *q)
{
	struct glob_filled f;

	return glob_fill_all(&f, g, q) && glob_run(f.text, text, g->fold);
}

bool glob_match(const struct glob *g, const char *text, const struct iam_query *q)
{
	return g->variables ? glob_match_filled(g, text, q) : glob_match_plain(g, text);
}
