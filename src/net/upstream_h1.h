/* upstream_h1.h - requests over a connection that carries one after the other, for the files that
 * implement it: upstream_h1.c has its life and its answers, upstream_h1_send.c its requests. */
#ifndef NET_UPSTREAM_H1_H
#define NET_UPSTREAM_H1_H

#include "net/http_rest.h"
#include "net/upstream_carrier.h"

/* What the connection is doing; the right column is where it may go (upstream_h1_go asserts it).
 *
 *   FREE       a request may be sent                          ASKED, FAILED, CLOSING
 *   ASKED      the final answer's head has not come yet       ANSWERED, FAILED, CLOSING
 *   ANSWERED   its body follows, or it was a 101              FREE, SPENT, FAILED, CLOSING
 *   SPENT      the answer is complete, no request may follow  FAILED, CLOSING
 *   FAILED     `failed` was called                            CLOSING
 *   CLOSING    the owner called upstream_close                - */
enum upstream_h1_state {
	UPSTREAM_H1_FREE,
	UPSTREAM_H1_ASKED,
	UPSTREAM_H1_ANSWERED,
	UPSTREAM_H1_SPENT,
	UPSTREAM_H1_FAILED,
	UPSTREAM_H1_CLOSING,
	UPSTREAM_H1_NUM_STATES
};

struct upstream_h1 {
	struct upstream base;
	enum upstream_h1_state state;
	struct conn *c;       /* NULL: taken */
	struct http1 *parser; /* NULL: no answer has begun */
	struct http_rest rest;
	struct buf held;   /* a head that waits for the first piece of its body */
	int64_t left;      /* of a request body with a length */
	bool parsing;      /* a callback is running, so freeing waits until it returns */
	bool chunked;      /* how the request's body is framed */
	bool request_done; /* its last byte was queued */
	bool has_body;     /* the request has one */
	bool no_body;      /* the answer has none, whatever its head says */
	bool full;         /* the owner was told to wait for `writable` */
	bool answered;     /* a byte came since the request */
	bool keep;         /* the answer allows another request after it */
	bool upgrades;     /* the request asks for an upgrade, so no other follows it */
	bool eof;          /* the other side will send no more */
	bool more;         /* the connection holds bytes after those that are being parsed */
};

void upstream_h1_go(struct upstream_h1 *u, enum upstream_h1_state to);
void upstream_h1_set_turn(struct upstream_h1 *u); /* whose turn it is to move bytes */

/* upstream_h1_send.c */
bool upstream_h1_request(struct upstream *base, const char *method, const char *target,
			 const struct http_header *headers, size_t n, int64_t length);
void upstream_h1_push(struct upstream *base);
bool upstream_h1_send_body(struct upstream *base, const void *data, size_t size);
void upstream_h1_send_trailers(struct upstream *base, const struct http_header *fields, size_t n);

static inline struct upstream_h1 *upstream_h1_of(struct upstream *base)
{
	return container_of(base, struct upstream_h1, base);
}

static inline const struct upstream_h1 *upstream_h1_of_const(const struct upstream *base)
{
	static_assert(offsetof(struct upstream_h1, base) == 0, "base is not first");
	return (const struct upstream_h1 *)(const void *)base;
}

static inline bool upstream_h1_busy(const struct upstream_h1 *u)
{
	return u->state == UPSTREAM_H1_ASKED || u->state == UPSTREAM_H1_ANSWERED;
}

#endif
