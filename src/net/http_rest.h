/* http_rest.h - what was not taken of a body; for net only.
 *
 * The server and the client hand decoded body on as it comes.  If the owner takes less, they stop:
 * the rest waits here, and is given again, before anything else is parsed, when the owner asks for
 * more. */
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

/* False: nothing was stopped.  Otherwise *bytes, which the caller then owns, must be given again.
 */
static inline bool http_rest_go_on(struct http_rest *r, struct buf *bytes)
{
	if (!r->stopped)
		return false;
	*bytes = r->bytes;
	*r = (struct http_rest){ 0 };
	return true;
}

#endif
