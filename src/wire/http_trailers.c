#include "wire/http_trailers.h"

#include <string.h>

#include "wire/http1_head.h"

/* clang-format off */
static const char *const http_trailers_dropped[] = {
	/* framing and the connection */
	"connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer",
	"transfer-encoding", "upgrade",
	/* routing */
	"host", "max-forwards", "forwarded", "via",
	/* who asks, and what is owed to him */
	"authorization", "cookie", "proxy-authenticate", "proxy-authorization", "set-cookie",
	"www-authenticate",
	/* conditions and controls */
	"cache-control", "expect", "if-match", "if-modified-since", "if-none-match", "if-range",
	"if-unmodified-since", "range",
	/* what the body is */
	"content-encoding", "content-range", "content-type",
};
/* clang-format on */

bool http_trailer_may_pass(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(http_trailers_dropped); i++)
		if (!strcmp(http_trailers_dropped[i], name))
			return false;
	return *name != ':';
}

void http_trailers_clear(struct http_trailers *t)
{
	buf_free(&t->text);
	t->n = 0;
}

static char *http_trailers_trim(char *value)
{
	size_t n;

	value += strspn(value, " \t");
	n = strlen(value);
	while (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
		n--;
	value[n] = '\0';
	return value;
}

bool http_trailers_read(struct http_trailers *t)
{
	char *at = (char *)t->text.data, *end;

	t->n = 0;
	if (!t->text.size)
		return true;
	end = at + t->text.size;
	if (end[-1])
		return false;
	while (at != end) {
		char *name = at, *value = name + strlen(name) + 1;

		if (value == end || !http1_is_token(name, strlen(name)))
			return false;
		at = value + strlen(value) + 1;
		for (char *s = name; *s; s++)
			*s = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;
		if (!http1_is_value(value, strlen(value)))
			return false;
		if (!http_trailer_may_pass(name))
			continue;
		if (t->n == ARRAY_SIZE(t->at))
			return false;
		t->at[t->n++] = (struct http_header){ name, http_trailers_trim(value) };
	}
	return true;
}
