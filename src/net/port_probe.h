/* port_probe.h - one connection to a port of a microVM that makes the guest run the code that a
 * request runs (ADR 0006).
 *
 * The connection is opened and closed, or it sends a text, reads the answer to its end, and looks
 * at nothing in it but the status. */
#ifndef NET_PORT_PROBE_H
#define NET_PORT_PROBE_H

#include <uv.h>

#include "base/base.h"

/* This is not a request by any reading of RFC 9112, so a server refuses it before its application
 * sees it: the method is not a token, the target is not a path, and the version does not exist. */
#define PORT_PROBE_REFUSABLE "[] [] HTTP/9.9\r\n\r\n"

#define PORT_PROBE_UNSENT 1 /* takes the place of a status: the text reached nobody */

struct port_probe_what {
	const char *stream; /* path of the machine's stream.sock */
	uint16_t port;
	const char *text; /* NULL: connect and close */
	uint64_t most_ms;
	/* Called once, from the loop and never from inside port_probe_start.  @status is that of an
	 * HTTP answer, 0 if none came, or PORT_PROBE_UNSENT. */
	void (*done)(void *arg, unsigned status);
	void *arg;
};

struct port_probe;

struct port_probe *port_probe_start(uv_loop_t *loop, const struct port_probe_what *what);
void port_probe_cancel(
	struct port_probe *p); /* call it before `done`, which is then never called */

/* The status of an answer that begins so, or 0 if it is not HTTP/1.  Pure, fuzzed. */
unsigned port_probe_status(const char *begin, size_t size) must_check;

#endif
