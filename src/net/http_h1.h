/* http_h1.h - an HTTP/1.1 connection of the server; for net/http_h1 only.
 *
 * http_h1.c reads requests and keeps their order; http_h1_send.c writes answers.  A handler is
 * never called for the next request, or for `done`, while it is inside a function of ours:
 * http_call_later does that from the loop. */
#ifndef NET_HTTP_H1_H
#define NET_HTTP_H1_H

#include "net/http_carrier.h"
#include "net/http_rest.h"

#define H1_DRAIN (256 * KIB) /* so much of an unread body is thrown away to keep the connection */

/* Where the connection is; the right column is where it may go (h1_go asserts it).
 *
 *   IDLE      between requests: no parser, no buffers                      HEAD, LAST
 *   HEAD      a request's head is being collected                          ACTIVE, LAST
 *   ACTIVE    the handler has the exchange                                 DRAINING, LAST
 *   DRAINING  answered; the rest of the request's body is thrown away      IDLE, LAST
 *   LAST      ends, or was taken by the handler: nothing is parsed         LAST */
enum h1_state { H1_IDLE, H1_HEAD, H1_ACTIVE, H1_DRAINING, H1_LAST, H1_NUM_STATES };

/* How far the answer is.  Only forwards; the next request begins anew. */
enum h1_answer { H1_NO_ANSWER, H1_CONTINUED, H1_HEAD_SENT, H1_ENDED };

/* How the end of the answer's body is told. */
enum h1_framing { H1_BY_LENGTH, H1_BY_CHUNKS, H1_BY_CLOSE, H1_WITHOUT_BODY };

struct h1 {
	struct http_exchange x;
	struct http_link link;
	struct http_wait wait;
	struct http_later later;
	enum h1_state state;
	struct conn *c;       /* NULL: taken */
	struct http1 *parser; /* NULL: idle */
	struct http_rest rest;
	struct buf corked;
	int64_t left;   /* bytes still to be sent of an answer with a length */
	int64_t unread; /* bytes of the request's body that may still be thrown away */
	int64_t timeout_ms;
	enum h1_answer answer;
	enum h1_framing framing;
	/* Facts that hold in any state: */
	bool tls;          /* so that the peer's end means that it is gone */
	bool eof;          /* the client will send no more */
	bool cut;          /* the connection is being closed at once */
	bool request_done; /* the last byte of the request was parsed */
	bool close;        /* the connection ends behind this answer */
	bool own_answer;   /* the handler knows nothing of this exchange */
	bool full;         /* the handler was told to wait for `writable` */
	bool cork;         /* what is written goes to `corked` */
	size_t burst;      /* bytes sent since the loop had its turn */
};

extern const struct http_carrier h1_carrier;

void h1_go(struct h1 *h, enum h1_state to);
void h1_set_timeout(struct h1 *h); /* time counts only while it is the client's turn */
void h1_cut(struct h1 *h);

static inline struct h1 *h1_of(struct http_exchange *x)
{
	return container_of(x, struct h1, x);
}

#endif
