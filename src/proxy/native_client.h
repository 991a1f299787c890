/* native_client.h - a client that reaches a port of a microVM through its endpoint's TLS and does
 * not speak HTTP (docs/native-clients.md): admission, and the wait until it is inside
 * (waiting_client.h).  native_start.c finds out what it wants. */
#ifndef PROXY_NATIVE_CLIENT_H
#define PROXY_NATIVE_CLIENT_H

#include "net/conn.h"
#include "proxy/proxy.h"

/* What a client wants, as it is found out. */
struct native_want {
	bool postgres;            /* it hears in PostgreSQL's words why it may not go on */
	bool cancels;             /* ... and has nothing to hear: it only cancels a query */
	char endpoint[UUID_SIZE]; /* "": it names none, so its certificate does */
	uint16_t port;            /* 0: it names none */
	struct buf token;         /* empty: none */
	bool certified;           /* claims are those of a certificate that is good */
	struct token_claims claims;
	struct buf start;   /* for the application, before all else */
	struct err refusal; /* why it may not go on; no text: nothing known yet */
};

#define NATIVE_POSTGRES_PORT 5432 /* of a client of PostgreSQL that names none */

/* Takes the connection over, and what is in *want. */
void native_client_new(struct proxy *p, struct conn *c, struct native_want *want);

#endif
