/* http_head.h - the head of an HTTP message, as those see it who act on it.
 *
 * http1_head.c fills one in; what it holds was checked there. */
#ifndef WIRE_HTTP_HEAD_H
#define WIRE_HTTP_HEAD_H

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

/* The value of the first header with this lower-case name, or NULL. */
const char *http_header(const struct http_head *h, const char *name);
size_t http_header_count(const struct http_head *h, const char *name);
/* Is @token an element of the comma-separated values of all headers of this name? */
bool http_list_has(const struct http_head *h, const char *name, const char *token);
bool http_head_takes_trailers(const struct http_head *h); /* te: trailers */
void http_head_free(struct http_head *h);

#endif
