/* http_head.h - the head of an HTTP message, as those see it who act on it.
 *
 * http1_head.c fills one in; what it holds was checked there. */
#ifndef WIRE_HTTP_HEAD_H
#define WIRE_HTTP_HEAD_H

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

struct http_header {
	const char *name;  /* lower case, NUL-terminated; in the head's memory */
	const char *value; /* trimmed, NUL-terminated */
};

struct http_head {
	bool request;
	char method[24];    /* request */
	const char *target; /* request: origin-form "/path?query", or "*" */
	const char *host;   /* request: Host or absolute-form authority, lower case, port kept */
	unsigned status;    /* response, 100 to 999 */
	const char *reason; /* response: as the application wrote it; "": none that may be written
			     */
	unsigned minor;     /* HTTP/1.minor */
	struct http_header headers[LIMIT_HTTP_HEADERS];
	size_t n_headers;
	bool chunked;   /* body framing */
	int64_t length; /* content-length; -1: none (a response until close, a request without body)
			 */
	bool keep_alive, upgrade; /* upgrade: Connection: upgrade with an Upgrade header, or 101 */
	bool expect_continue;
	struct buf text; /* owned: what the pointers point into */
};

/* Most names differ in their first letter. */
static inline bool http_name_is(const char *name, const char *other)
{
	return *name == *other && !strcmp(name, other);
}

/* What a head is before anything of it was read.  Its memory is kept. */
static inline void http_head_clear(struct http_head *h)
{
	h->request = h->chunked = h->keep_alive = h->upgrade = h->expect_continue = false;
	h->target = h->host = h->reason = NULL;
	h->method[0] = '\0';
	h->status = h->minor = 0;
	h->n_headers = 0;
	h->length = 0;
	buf_clear(&h->text);
}

/* The value of the first header with this lower-case name, or NULL. */
const char *http_header(const struct http_head *h, const char *name);
size_t http_header_count(const struct http_head *h, const char *name);
/* Is @token an element of the comma-separated values of all headers of this name? */
bool http_list_has(const struct http_head *h, const char *name, const char *token);
bool http_head_takes_trailers(const struct http_head *h); /* te: trailers */
void http_head_free(struct http_head *h);

#endif
