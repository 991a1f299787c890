/* postgres_start.h - what a client of PostgreSQL says first, and what it hears when it may not go
 * on (PostgreSQL's documentation, "Message Formats").  Pure.
 *
 * A client asks for TLS in plain text (SSLRequest), or begins with it.  Its StartupMessage comes
 * next.  Two words of its `options` are for the endpoint: "endpoint=NAME" and "token=TOKEN".  They
 * are taken out, and everything else stays as it came. */
#ifndef WIRE_POSTGRES_START_H
#define WIRE_POSTGRES_START_H

#include "base/buf.h"
#include "base/err.h"

#define POSTGRES_START_MAX 10000 /* bytes, as in the server */

enum postgres_start {
	POSTGRES_MORE,    /* it is not whole yet */
	POSTGRES_SSL,     /* SSLRequest */
	POSTGRES_GSS,     /* GSSENCRequest */
	POSTGRES_CANCEL,  /* CancelRequest */
	POSTGRES_STARTUP, /* StartupMessage, version 3 */
	POSTGRES_BAD,     /* none of them */
};

/* What begins at @data.  *used: how many bytes it has, where it is whole. */
enum postgres_start postgres_start_read(const uint8_t *data, size_t size, size_t *used);

/* Takes the words for the endpoint out of a whole StartupMessage: *to gets the packet without them,
 * *endpoint and *token their values, empty where there are none. */
int postgres_startup_take(const uint8_t *packet, size_t size, struct buf *to, struct buf *endpoint,
			  struct buf *token, struct err *e) must_check;

/* Adds an ErrorResponse that ends the connection; @code is an SQLSTATE. */
void postgres_error_put(struct buf *to, const char *code, const char *text);

#endif
