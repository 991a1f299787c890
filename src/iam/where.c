#include "iam/where.h"

#include <string.h>

static const char *where_space(const char *t)
{
	return t + strspn(t, " \t\r\n");
}

/* Behind the string that begins here. */
static const char *where_string(const char *t)
{
	for (t++; *t && *t != '"'; t++)
		if (*t == '\\' && t[1])
			t++;
	return *t ? t + 1 : t;
}

/* Behind the value that begins here. */
static const char *where_value(const char *t)
{
	unsigned depth = 0;

	do {
		if (*t == '"') {
			t = where_string(t);
			continue;
		}
		if (*t == '{' || *t == '[')
			depth++;
		else if ((*t == '}' || *t == ']') && !depth--)
			return t;
		else if (*t == ',' && !depth)
			return t;
		if (*t)
			t++;
	} while (*t && (depth || !strchr(",}]", *t)));
	return t;
}

/* The next member or item; NULL: there is none. */
static const char *where_next(const char *t)
{
	t = where_space(where_value(t));
	return *t == ',' ? where_space(t + 1) : NULL;
}

static const char *where_in_list(const char *t, size_t index)
{
	t = where_space(t + 1);
	for (; t && index; index--)
		t = where_next(t);
	return t && *t && *t != ']' ? t : NULL;
}

/* The key itself, since that is what a person looks for. */
static const char *where_key(const char *t, const char *key)
{
	size_t size = strlen(key);

	for (t = where_space(t + 1); t && *t == '"';) {
		const char *end = where_string(t);

		if ((size_t)(end - t) == size + 2 && !memcmp(t + 1, key, size))
			return t;
		t = where_space(end);
		t = *t == ':' ? where_next(where_space(t + 1)) : NULL;
	}
	return NULL;
}

static const char *where_behind_key(const char *t)
{
	t = where_space(where_string(t));
	return *t == ':' ? where_space(t + 1) : t;
}

unsigned where_line(const char *text, const struct where_step *steps, size_t n)
{
	const char *at = where_space(text), *value = at;
	unsigned line = 1;

	for (size_t i = 0; i < n; i++) {
		const char *next = NULL;

		if (steps[i].key && *value == '{')
			next = where_key(value, steps[i].key);
		else if (!steps[i].key && *value == '[')
			next = where_in_list(value, steps[i].index);
		if (!next)
			break;
		at = next;
		value = steps[i].key ? where_behind_key(next) : next;
	}
	for (const char *t = text; t < at; t++)
		line += *t == '\n';
	return line;
}
