/* http_h1.h - an HTTP/1.1 connection of the server: inside net/http_h1 alone.
 *
 * http_h1.c reads requests and keeps the order; http_h1_send.c writes answers.
 *
 * States: IDLE (between requests; no parser, no buffers), HEAD (one is being collected), ACTIVE
 * (the handler has the exchange), DRAINING (answered, the rest of the request's body is thrown
 * away), LAST (closing or taken away: nothing is parsed).  Handlers are never told of the next
 * request, nor of `done`, from inside a call of theirs: that comes by http_call_later. */
#ifndef NET_HTTP_H1_H
#define NET_HTTP_H1_H

#include "net/http_carrier.h"

#define H1_DRAIN (256 * KIB) /* of an unread body, to keep the connection */

enum h1_state { H1_IDLE, H1_HEAD, H1_ACTIVE, H1_DRAINING, H1_LAST };

struct h1 {
	struct http_exchange x;
	struct http_link link;
	struct http_wait wait;
	struct http_later later;
	enum h1_state state;
	struct conn *c;       /* NULL: taken */
	struct http1 *parser; /* NULL: idle */
	struct buf rest;      /* decoded body that the handler did not take */
	struct buf corked;
	int64_t left;   /* of a body with a length that is being sent */
	int64_t unread; /* bytes of the request's body that may still be thrown away */
	int64_t timeout_ms;
	bool tls, own_answer;                    /* own_answer: the handler knows nothing of it */
	bool request_done, stopped, continued;   /* the request */
	bool head_sent, ended, chunked, no_body; /* the answer */
	bool close, cork, full, cut, eof;
	size_t burst; /* bytes sent since the loop had its turn */
};

extern const struct http_carrier h1_carrier;

void h1_set_timeout(struct h1 *h); /* silence is counted where it is the client's turn */
void h1_cut(struct h1 *h);

static inline struct h1 *h1_of(struct http_exchange *x)
{
	return container_of(x, struct h1, x);
}

#endif
