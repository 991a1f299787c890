/* route.c - from method and path to the row of the operation. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "control/api/ops_shapes.h"

const struct op_table op_tables[] = {
	{ microvm_ops, MICROVM_OPS },
	{ core_ops, CORE_OPS },
	{ account_ops, ACCOUNT_OPS },
	{ NULL, 0 },
};

static int route_nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *op_unescape(const char *text, size_t size, bool query)
{
	char *out = xmalloc(size + 1);
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < size ? route_nibble(text[i + 1]) : -1;
			int low = high >= 0 ? route_nibble(text[i + 2]) : -1;

			c = low < 0 ? '\0' : (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && query) {
			c = ' ';
		}
		if (!c) {
			free(out);
			return NULL;
		}
		out[n++] = c;
	}
	out[n] = '\0';
	return out;
}

void op_segments_free(struct op_segments *s)
{
	for (size_t i = 0; i < s->n; i++)
		mem_free(&s->value[i]);
	s->n = 0;
}

/* Compares one segment of the path with one segment of the row. */
static bool route_segment(const char *want, size_t want_size, const char *got, size_t got_size,
			  struct op_segments *s)
{
	if (want[0] != '{')
		return want_size == got_size && !memcmp(want, got, got_size);
	if (!got_size || s->n == OP_MAX_SEGMENTS)
		return false;
	s->value[s->n] = op_unescape(got, got_size, false);
	if (!s->value[s->n])
		return false;
	s->name[s->n] = want + 1;
	s->name_size[s->n++] = want_size - 2;
	return true;
}

static bool route_match(const char *want, const char *got, size_t got_size, struct op_segments *s)
{
	const char *end = got + got_size;

	for (;;) {
		size_t want_size, size = 0;

		if (*want != '/' || got == end || *got != '/')
			return !*want && got == end;
		want++;
		got++;
		want_size = strcspn(want, "/");
		while (got + size < end && got[size] != '/')
			size++;
		if (!route_segment(want, want_size, got, size, s))
			return false;
		want += want_size;
		got += size;
	}
}

static const struct op *route_find(const char *method, const char *path, size_t path_size,
				   struct op_segments *s)
{
	memset(s, 0, sizeof(*s));
	for (const struct op_table *t = op_tables; t->n; t++)
		for (const struct op *op = t->ops; op < t->ops + t->n; op++) {
			if (!strcmp(op->method, method) &&
			    route_match(op->path, path, path_size, s))
				return op;
			op_segments_free(s);
		}
	return NULL;
}

const struct op *op_find(const char *method, const char *path, size_t path_size,
			 struct op_segments *s)
{
	const struct op *op;

	/* Some clients end every path with a slash.  Where an identifier may follow it, a path that
	 * ends there names nothing, and the list above it is not what was asked for. */
	if (path_size > 1 && path[path_size - 1] == '/') {
		autofree char *named = xasprintf("%.*s-", (int)path_size, path);

		op = route_find(method, named, path_size + 1, s);
		op_segments_free(s);
		if (op)
			return NULL;
		path_size--;
	}
	return route_find(method, path, path_size, s);
}
