/* heads.h - parsed heads for the tests of what the proxy decides on. */
#ifndef TESTS_PROXY_HEADS_H
#define TESTS_PROXY_HEADS_H

#include <string.h>

#include "wire/http1.h"

/* The parser that holds the head: http1_free it.  @text is a whole head. */
static inline struct http1 *parse_head(const char *text, bool request)
{
	struct http1 *p = http1_new(request);
	const uint8_t *body;
	size_t used, size;
	enum http1_event event =
		http1_next(p, (const uint8_t *)text, strlen(text), &used, &body, &size);

	assert(event == HTTP1_HEAD);
	return p;
}

#endif
