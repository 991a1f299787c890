/* http_trailers.h - the fields behind a body, of any version of HTTP.  Pure.
 *
 * They come after the message was acted on, so a field that could have changed what was done with
 * it is left out (RFC 9110 6.5.1): one that frames, routes, or authenticates, or that says what the
 * body is. */
#ifndef WIRE_HTTP_TRAILERS_H
#define WIRE_HTTP_TRAILERS_H

#include "wire/http_head.h"

#define HTTP_TRAILERS_MOST 64

/* All zero: none. */
struct http_trailers {
	struct buf text; /* each name and each value, with a NUL behind it; owned */
	struct http_header at[HTTP_TRAILERS_MOST];
	size_t n;
};

/* @text got all names and values.  False: a name is no token, a value has a control character, or
 * there are too many. */
bool http_trailers_read(struct http_trailers *t) must_check;
void http_trailers_clear(struct http_trailers *t);
bool http_trailer_may_pass(const char *name); /* lower case */

#endif
