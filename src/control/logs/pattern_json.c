/* pattern_json.c - { $.a.b[0] = "x*" && ($.n >= 5 || $.m NOT EXISTS) }, as a tree. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "control/logs/pattern.h"

enum json_test {
	TEST_AND,
	TEST_OR,
	TEST_EQUAL,
	TEST_NOT_EQUAL,
	TEST_LESS,
	TEST_LESS_EQUAL,
	TEST_GREATER,
	TEST_GREATER_EQUAL,
	TEST_NULL,
	TEST_TRUE,
	TEST_FALSE,
	TEST_EXISTS,
	TEST_NOT_EXISTS,
};

/* One step of a selector: a member, or an element. */
struct json_step {
	char *member; /* owned; NULL: an element */
	size_t element;
};

struct pattern_json {
	enum json_test test;
	struct pattern_json *left, *right; /* of && and ||; owned */
	struct json_step *steps;           /* owned */
	size_t n;
	char *text; /* what it is compared with, "*" is any text; owned */
	double number;
	bool is_number;
};

struct json_reader {
	const char *text, *at;
	struct err *e;
	unsigned depth;
};

static const struct {
	const char *sign;
	enum json_test test;
} json_signs[] = {
	{ "!=", TEST_NOT_EQUAL }, { "<=", TEST_LESS_EQUAL }, { ">=", TEST_GREATER_EQUAL },
	{ "=", TEST_EQUAL },      { "<", TEST_LESS },        { ">", TEST_GREATER },
};

static const struct {
	const char *first, *second; /* NULL: one word */
	enum json_test test;
} json_words[] = {
	{ "IS", "NULL", TEST_NULL },     { "IS", "TRUE", TEST_TRUE },
	{ "IS", "FALSE", TEST_FALSE },   { "NOT", "EXISTS", TEST_NOT_EXISTS },
	{ "EXISTS", NULL, TEST_EXISTS },
};

static struct pattern_json *json_wrong(struct json_reader *r, struct pattern_json *p,
				       const char *what)
{
	pattern_json_free(p);
	err_set(r->e, ERR_INVALID, "Invalid filter pattern: %s at character %zu.", what,
		(size_t)(r->at - r->text) + 1);
	return NULL;
}

static void json_skip(struct json_reader *r)
{
	r->at += strspn(r->at, " \t\r\n");
}

static bool json_take(struct json_reader *r, const char *sign)
{
	size_t size = strlen(sign);

	json_skip(r);
	if (strncmp(r->at, sign, size) != 0)
		return false;
	r->at += size;
	return true;
}

static bool json_word(struct json_reader *r, const char *word)
{
	size_t size = strlen(word);

	json_skip(r);
	if (strncasecmp(r->at, word, size) != 0 || isalnum((unsigned char)r->at[size]))
		return false;
	r->at += size;
	return true;
}

static void json_step(struct pattern_json *p, char *member, size_t element)
{
	p->steps = xrealloc(p->steps, (p->n + 1) * sizeof(*p->steps));
	p->steps[p->n++] = (struct json_step){ member, element };
}

static bool json_is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '@' || (c & 0x80);
}

static bool json_selector(struct json_reader *r, struct pattern_json *p)
{
	if (!json_take(r, "$"))
		return false;
	while (*r->at == '.' || *r->at == '[') {
		const char *from = r->at + 1, *s = from;
		bool member = *r->at == '.';
		size_t size;

		while (member ? json_is_name(*s) : isdigit((unsigned char)*s))
			s++;
		size = (size_t)(s - from);
		if (!size || (!member && (size > 6 || *s != ']')))
			return false;
		json_step(p, member ? xasprintf("%.*s", (int)size, from) : NULL,
			  member ? 0 : strtoul(from, NULL, 10));
		r->at = s + !member;
	}
	return p->n;
}

static bool json_value(struct json_reader *r, struct pattern_json *p)
{
	autobuf struct buf text = { 0 };
	bool quoted;
	char *end;

	json_skip(r);
	quoted = *r->at == '"';
	r->at += quoted;
	while (*r->at && (quoted ? *r->at != '"' : !strchr(" \t\r\n)}&|", *r->at))) {
		if (quoted && *r->at == '\\' && r->at[1])
			r->at++;
		buf_add(&text, r->at++, 1);
	}
	if (quoted ? *r->at != '"' : !text.size)
		return false;
	r->at += quoted;
	p->text = xstrdup(buf_str(&text));
	p->number = strtod(p->text, &end);
	p->is_number = !quoted && end != p->text && !*end;
	return true;
}

static struct pattern_json *json_comparison(struct json_reader *r)
{
	struct pattern_json *p = xcalloc(1, sizeof(*p));

	if (!json_selector(r, p))
		return json_wrong(r, p, "a selector such as $.name is expected");
	for (size_t i = 0; i < ARRAY_SIZE(json_words); i++) {
		const char *at = r->at;

		if (json_word(r, json_words[i].first) &&
		    (!json_words[i].second || json_word(r, json_words[i].second))) {
			p->test = json_words[i].test;
			return p;
		}
		r->at = at;
	}
	for (size_t i = 0; i < ARRAY_SIZE(json_signs); i++) {
		if (!json_take(r, json_signs[i].sign))
			continue;
		p->test = json_signs[i].test;
		if (!json_value(r, p))
			return json_wrong(r, p, "a value is expected");
		if (p->test >= TEST_LESS && !p->is_number)
			return json_wrong(r, p, "a number is expected before this place");
		return p;
	}
	return json_wrong(r, p, "an operator is expected");
}

static struct pattern_json *json_either(struct json_reader *r);

static struct pattern_json *json_group(struct json_reader *r)
{
	struct pattern_json *p;

	if (!json_take(r, "("))
		return json_comparison(r);
	if (r->depth++ == PATTERN_DEPTH)
		return json_wrong(r, NULL, "there are too many parentheses");
	p = json_either(r);
	r->depth--;
	if (!p || json_take(r, ")"))
		return p;
	return json_wrong(r, p, "a closing parenthesis is expected");
}

static struct pattern_json *json_row(struct json_reader *r, const char *sign, enum json_test test,
				     struct pattern_json *(*each)(struct json_reader *r))
{
	struct pattern_json *p = each(r);

	while (p && json_take(r, sign)) {
		struct pattern_json *both = xcalloc(1, sizeof(*both));

		both->test = test;
		both->left = p;
		both->right = each(r);
		p = both;
		if (!p->right) {
			pattern_json_free(p);
			return NULL;
		}
	}
	return p;
}

static struct pattern_json *json_both(struct json_reader *r)
{
	return json_row(r, "&&", TEST_AND, json_group);
}

static struct pattern_json *json_either(struct json_reader *r)
{
	return json_row(r, "||", TEST_OR, json_both);
}

struct pattern_json *pattern_json_read(const char *text, struct err *e)
{
	struct json_reader r = { .text = text, .at = text, .e = e };
	struct pattern_json *p;

	if (!json_take(&r, "{"))
		return json_wrong(&r, NULL, "a brace is expected");
	p = json_either(&r);
	if (!p)
		return NULL;
	if (!json_take(&r, "}"))
		return json_wrong(&r, p, "a closing brace is expected");
	json_skip(&r);
	return *r.at ? json_wrong(&r, p, "the pattern should end") : p;
}

/* Rows lean to the left, as long as the pattern is. */
void pattern_json_free(struct pattern_json *p)
{
	while (p) {
		struct pattern_json *left = p->left;

		pattern_json_free(p->right);
		for (size_t i = 0; i < p->n; i++)
			free(p->steps[i].member);
		free(p->steps);
		free(p->text);
		free(p);
		p = left;
	}
}

/* "*" stands for any text. */
static bool json_like(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			from = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

static const json_t *json_at(const struct pattern_json *p, const json_t *value)
{
	for (size_t i = 0; i < p->n && value; i++)
		value = p->steps[i].member ? json_object_get(value, p->steps[i].member)
					   : json_array_get(value, p->steps[i].element);
	return value;
}

static bool json_same(const struct pattern_json *p, const json_t *value)
{
	if (json_is_number(value))
		return p->is_number && json_number_value(value) == p->number;
	return json_is_string(value) && json_like(p->text, json_string_value(value));
}

static bool json_compared(const struct pattern_json *p, const json_t *value)
{
	double number = json_number_value(value);

	if (!json_is_number(value))
		return false;
	return p->test == TEST_LESS         ? number < p->number
	       : p->test == TEST_LESS_EQUAL ? number <= p->number
	       : p->test == TEST_GREATER    ? number > p->number
					    : number >= p->number;
}

bool pattern_json_matches(const struct pattern_json *p, const json_t *line)
{
	const json_t *value = json_at(p, line);

	switch (p->test) {
	case TEST_AND:
		return pattern_json_matches(p->left, line) && pattern_json_matches(p->right, line);
	case TEST_OR:
		return pattern_json_matches(p->left, line) || pattern_json_matches(p->right, line);
	case TEST_EQUAL:
		return value && json_same(p, value);
	case TEST_NOT_EQUAL:
		return value && !json_same(p, value);
	case TEST_NULL:
		return json_is_null(value);
	case TEST_TRUE:
		return json_is_true(value);
	case TEST_FALSE:
		return json_is_false(value);
	case TEST_EXISTS:
		return value;
	case TEST_NOT_EXISTS:
		return !value;
	case TEST_LESS:
	case TEST_LESS_EQUAL:
	case TEST_GREATER:
	case TEST_GREATER_EQUAL:
		return json_compared(p, value);
	}
	abort();
}
