/* dockerfile_word.c - words, and the values of variables. */

#include "wire/dockerfile_word.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

size_t dockerfile_word(const char *text, size_t *at, char escape)
{
	size_t i = *at;
	char quote = 0;

	i += strspn(text + i, " \t");
	*at = i;
	for (; text[i] && (quote || !strchr(" \t", text[i])); i++) {
		if (text[i] == escape && text[i + 1] && quote != '\'')
			i++;
		else if (quote && text[i] == quote)
			quote = 0;
		else if (!quote && (text[i] == '"' || text[i] == '\''))
			quote = text[i];
	}
	return i - *at;
}

void dockerfile_vars_set(struct dockerfile_vars *v, const char *name, const char *value)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].name, name)) {
			char *copy = xstrdup(value); /* @value may be the old one */

			free(v->v[i].value);
			v->v[i].value = copy;
			return;
		}
	if (v->n == DOCKERFILE_MAX)
		return;
	v->v = xrealloc(v->v, (v->n + 1) * sizeof(*v->v));
	v->v[v->n++] = (struct dockerfile_var){ xstrdup(name), xstrdup(value) };
}

void dockerfile_vars_unset(struct dockerfile_vars *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].name, name)) {
			free(v->v[i].name);
			free(v->v[i].value);
			v->n--;
			memmove(&v->v[i], &v->v[i + 1], (v->n - i) * sizeof(*v->v));
			return;
		}
}

const char *dockerfile_vars_get(const struct dockerfile_vars *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].name, name))
			return v->v[i].value;
	return NULL;
}

void dockerfile_vars_copy(struct dockerfile_vars *to, const struct dockerfile_vars *from)
{
	for (size_t i = 0; i < from->n; i++)
		dockerfile_vars_set(to, from->v[i].name, from->v[i].value);
}

void dockerfile_vars_free(struct dockerfile_vars *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->v[i].name);
		free(v->v[i].value);
	}
	free(v->v);
	*v = (struct dockerfile_vars){ 0 };
}

void dockerfile_quote(struct buf *to, const char *text)
{
	for (; *text; text++) {
		bool plain = isalnum((unsigned char)*text) || (unsigned char)*text >= 0x80 ||
			     strchr("_./:@%+=,-", *text);

		if (!plain)
			buf_adds(to, "\\");
		buf_add(to, text, 1);
	}
}

void dockerfile_json(struct buf *to, const char *text)
{
	buf_adds(to, "\"");
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			buf_addf(to, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_addf(to, "\\u%04x", c);
		else
			buf_add(to, text, 1);
	}
	buf_adds(to, "\"");
}

/* The number of letters to add, drop or change; words are short. */
static size_t dockerfile_distance(const char *a, const char *b)
{
	size_t row[DOCKERFILE_WORD + 1], n = strlen(b);

	if (n > DOCKERFILE_WORD)
		return SIZE_MAX;
	for (size_t i = 0; i <= n; i++)
		row[i] = i;
	for (; *a; a++) {
		size_t diagonal = row[0]++;

		for (size_t i = 1; i <= n; i++) {
			size_t change = diagonal + (toupper((unsigned char)*a) !=
						    toupper((unsigned char)b[i - 1]));

			diagonal = row[i];
			row[i] = change < row[i] + 1 ? change : row[i] + 1;
			if (row[i - 1] + 1 < row[i])
				row[i] = row[i - 1] + 1;
		}
	}
	return row[n];
}

const char *dockerfile_similar(const char *word, const char *const *words, size_t n)
{
	size_t least = 3;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t distance = dockerfile_distance(word, words[i]);

		if (distance < least && distance < strlen(words[i])) {
			least = distance;
			found = words[i];
		}
	}
	return found;
}
