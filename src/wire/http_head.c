#include "wire/http_head.h"

#include <string.h>
#include <strings.h>

const char *http_header(const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->n_headers; i++)
		if (http_name_is(h->headers[i].name, name))
			return h->headers[i].value;
	return NULL;
}

size_t http_header_count(const struct http_head *h, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n_headers; i++)
		n += http_name_is(h->headers[i].name, name);
	return n;
}

bool http_list_has(const struct http_head *h, const char *name, const char *token)
{
	size_t size = strlen(token);

	for (size_t i = 0; i < h->n_headers; i++) {
		const char *at = h->headers[i].value;

		if (!http_name_is(h->headers[i].name, name))
			continue;
		while (*at) {
			size_t n;

			at += strspn(at, ", \t");
			n = strcspn(at, ", \t");
			if (n == size && !strncasecmp(at, token, size))
				return true;
			at += n + strcspn(at + n, ",");
		}
	}
	return false;
}

bool http_head_takes_trailers(const struct http_head *h)
{
	return http_list_has(h, "te", "trailers");
}

void http_head_free(struct http_head *h)
{
	buf_free(&h->text);
}
