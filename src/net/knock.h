/* knock.h - one connection to a port of a microVM that makes the guest run what a request runs
 * (design 1.5): connected and closed, or told a text whose answer is read to its end and looked at
 * for nothing but the status. */
#ifndef NET_KNOCK_H
#define NET_KNOCK_H

#include <uv.h>

#include "base/base.h"

/* No request by any reading of RFC 9112, so a server refuses it itself: a method that is no token,
 * a target that is no path, a version that there is not. */
#define KNOCK_REFUSABLE "[] [] HTTP/9.9\r\n\r\n"

#define KNOCK_UNSAID 1 /* in place of a status: the text reached nobody */

struct knock {
	const char *stream; /* path of the machine's stream.sock */
	uint16_t port;
	const char *text; /* NULL: connect and close */
	uint64_t most_ms;
	/* Once, from the loop, never from inside knock_start.  @status: of an HTTP answer, 0: none
	 * came, or KNOCK_UNSAID. */
	void (*done)(void *arg, unsigned status);
	void *arg;
};

struct knocking;

struct knocking *knock_start(uv_loop_t *loop, const struct knock *k);
void knock_cancel(struct knocking *k); /* before `done`: it will not come */

/* Pure, fuzzed: the status of an answer that begins so; 0: it is none of HTTP/1. */
unsigned knock_status(const char *begin, size_t size) must_check;

#endif
