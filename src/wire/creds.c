/* creds.c - reads sections, keys and values, and skips whatever else an AWS credentials file may
 * hold. */

#include <ctype.h>
#include <string.h>

#include "wire/creds.h"

struct span {
	const char *at;
	size_t size;
};

static struct span creds_trim(struct span s)
{
	while (s.size && isspace((unsigned char)s.at[0])) {
		s.at++;
		s.size--;
	}
	while (s.size && isspace((unsigned char)s.at[s.size - 1]))
		s.size--;
	return s;
}

static bool creds_is(struct span s, const char *word)
{
	return s.size == strlen(word) && !memcmp(s.at, word, s.size);
}

/* Keys and secrets are printable ASCII without spaces; no client could sign with anything else. */
static int creds_copy(struct span s, char *to, size_t room, unsigned line, struct err *e)
{
	if (!s.size || s.size >= room)
		return err_set(e, ERR_INVALID,
			       "credentials line %u: a value must have 1 to %zu characters", line,
			       room - 1);
	for (size_t i = 0; i < s.size; i++)
		if (!isgraph((unsigned char)s.at[i]))
			return err_set(
				e, ERR_INVALID,
				"credentials line %u: a value has a space or control character",
				line);
	memcpy(to, s.at, s.size);
	to[s.size] = '\0';
	return 0;
}

static int creds_check_last(const struct creds *c, struct err *e)
{
	size_t last = c->n - 1;

	if (!c->n)
		return 0;
	if (!c->keys[last].access_key[0] || !c->keys[last].secret[0])
		return err_set(e, ERR_INVALID,
			       "credentials section [%s] needs aws_access_key_id and "
			       "aws_secret_access_key",
			       c->keys[last].name);
	for (size_t i = 0; i < last; i++)
		if (!strcmp(c->keys[i].access_key, c->keys[last].access_key))
			return err_set(
				e, ERR_INVALID,
				"credentials sections [%s] and [%s] have the same access key",
				c->keys[i].name, c->keys[last].name);
	return 0;
}

static int creds_section(struct creds *c, struct span line, unsigned number, struct err *e)
{
	struct span name;

	if (creds_check_last(c, e))
		return -1;
	if (line.at[line.size - 1] != ']')
		return err_set(e, ERR_INVALID, "credentials line %u: ']' is missing", number);
	if (c->n == CREDS_MAX)
		return err_set(e, ERR_INVALID, "credentials line %u: more than %d sections", number,
			       CREDS_MAX);
	name = creds_trim((struct span){ line.at + 1, line.size - 2 });
	c->n++;
	return creds_copy(name, c->keys[c->n - 1].name, sizeof(c->keys[0].name), number, e);
}

static int creds_line(struct creds *c, struct span line, unsigned number, struct err *e)
{
	struct span key, value;
	const char *equals;

	if (!line.size || line.at[0] == '#' || line.at[0] == ';')
		return 0;
	if (line.at[0] == '[')
		return creds_section(c, line, number, e);
	equals = memchr(line.at, '=', line.size);
	if (!equals)
		return err_set(e, ERR_INVALID, "credentials line %u: no '='", number);
	key = creds_trim((struct span){ line.at, (size_t)(equals - line.at) });
	value = creds_trim((struct span){ equals + 1, line.size - (size_t)(equals + 1 - line.at) });
	if (!c->n)
		return err_set(e, ERR_INVALID, "credentials line %u: stands before any [section]",
			       number);
	if (creds_is(key, "aws_access_key_id"))
		return creds_copy(value, c->keys[c->n - 1].access_key,
				  sizeof(c->keys[0].access_key), number, e);
	if (creds_is(key, "aws_secret_access_key"))
		return creds_copy(value, c->keys[c->n - 1].secret, sizeof(c->keys[0].secret),
				  number, e);
	return 0;
}

int creds_parse(const char *text, size_t size, struct creds *c, struct err *e)
{
	const char *end = text + size;

	memset(c, 0, sizeof(*c));
	for (unsigned number = 1; text < end; number++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));

		if (!stop)
			stop = end;
		if (creds_line(c, creds_trim((struct span){ text, (size_t)(stop - text) }), number,
			       e))
			return -1;
		text = stop + 1;
	}
	return creds_check_last(c, e);
}

const char *creds_secret(const struct creds *c, const char *access_key)
{
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->keys[i].access_key, access_key))
			return c->keys[i].secret;
	return NULL;
}
