/* http_rest.h - what the taker of a body left: inside net alone.
 *
 * Server and client hand decoded body on as it comes.  A taker that takes less stops them: the rest
 * waits here, and is given again, before anything else is parsed, when the taker asks for more. */
#ifndef NET_HTTP_REST_H
#define NET_HTTP_REST_H

#include "base/buf.h"

struct http_rest {
	struct buf bytes;
	bool stopped;
};

static inline void http_rest_keep(struct http_rest *r, const uint8_t *data, size_t size)
{
	buf_add(&r->bytes, data, size);
	r->stopped = true;
}

/* False: nothing was stopped.  Else *bytes, the caller's, are to be given again. */
static inline bool http_rest_go_on(struct http_rest *r, struct buf *bytes)
{
	if (!r->stopped)
		return false;
	*bytes = r->bytes;
	*r = (struct http_rest){ 0 };
	return true;
}

#endif
