/* http_native.h - clients at the port of an HTTP server that do not speak HTTP: what they say until
 * somebody takes them (http_greeting.c). */
#ifndef NET_HTTP_NATIVE_H
#define NET_HTTP_NATIVE_H

#include "net/conn_native.h"
#include "net/http.h"
#include "net/tls_native.h"

/* What a client has said before it is known what it speaks. */
struct http_start {
	struct buf said;  /* and was not used yet: in plain text, then inside TLS */
	bool asked_plain; /* for TLS */
};

enum http_native {
	HTTP_NATIVE_NONE, /* it speaks HTTP */
	HTTP_NATIVE_MORE, /* it does not, and has to say more */
	HTTP_NATIVE_TAKEN,
};

/* Each function gets @arg of the server.  It may
 * close the connection, and all but before_tls may take it, by conn_set_owner. */
struct http_natives {
	/* As conn_ops.before_tls; what came before may stand in *s. */
	size_t (*before_tls)(void *arg, struct conn *c, struct http_start *s, const uint8_t *data,
			     size_t size);
	enum http_native (*opened)(void *arg, struct conn *c, struct http_start *s);
	/* It has said more; all of it is in *s. */
	enum http_native (*said)(void *arg, struct conn *c, struct http_start *s);
	void (*late)(void *arg, struct conn *c, struct http_start *s); /* it said too little */
};

void http_server_set_natives(struct http_server *s, const struct http_natives *n); /* borrowed */

#endif
