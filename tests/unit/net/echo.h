/* echo.h - a handler that shows every way to use an exchange; for the tests and for serve.c.
 *
 * GET /hello: an answer at once; GET
 * /later: after 50 ms.  POST /echo: the body comes back as it comes, chunked.  POST
 * /slow: likewise, taken in small pieces.  GET /big?N: N bytes, streamed.  POST /early: 403 before
 * the body is read.  POST /hold: the body is asked for later.  GET /upgrade: an echo over the raw
 * connection. GET /cut: the answer breaks off. */
#ifndef TESTS_NET_ECHO_H
#define TESTS_NET_ECHO_H

#include "net/http.h"

extern const struct http_handler echo_handler;

struct echo_stats {
	unsigned heads, ends, dones, gone, taken;
	uint64_t sent;
};
extern struct echo_stats echo_stats;

#endif
