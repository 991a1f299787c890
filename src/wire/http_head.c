#include "wire/http_head.h"

#include <string.h>

const char *http_header(const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->n_headers; i++)
		if (!strcmp(h->headers[i].name, name))
			return h->headers[i].value;
	return NULL;
}

size_t http_header_count(const struct http_head *h, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n_headers; i++)
		n += !strcmp(h->headers[i].name, name);
	return n;
}

void http_head_free(struct http_head *h)
{
	buf_free(&h->text);
}
