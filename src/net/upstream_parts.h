/* upstream_parts.h - a client's connection, for the files that implement it: upstream.c has its
 * life and its answers, upstream_send.c its requests. */
#ifndef NET_UPSTREAM_PARTS_H
#define NET_UPSTREAM_PARTS_H

#include "net/http_rest.h"

struct conn;
struct http1;
struct upstream_ops;

/* What the connection is doing; the right column is where it may go (upstream_go asserts it).
 *
 *   FREE       a request may be sent                          ASKED, FAILED, CLOSING
 *   ASKED      the final answer's head has not come yet       ANSWERED, FAILED, CLOSING
 *   ANSWERED   its body follows, or it was a 101              FREE, SPENT, FAILED, CLOSING
 *   SPENT      the answer is complete, no request may follow  FAILED, CLOSING
 *   FAILED     `failed` was called                            CLOSING
 *   CLOSING    the owner called upstream_close                - */
enum upstream_state {
	UPSTREAM_FREE,
	UPSTREAM_ASKED,
	UPSTREAM_ANSWERED,
	UPSTREAM_SPENT,
	UPSTREAM_FAILED,
	UPSTREAM_CLOSING,
	UPSTREAM_NUM_STATES
};

struct upstream {
	enum upstream_state state;
	struct conn *c;       /* NULL: taken */
	struct http1 *parser; /* NULL: no request is under way */
	const struct upstream_ops *ops;
	void *owner; /* borrowed */
	struct http_rest rest;
	struct buf held;   /* a head that waits for the first piece of its body */
	int64_t left;      /* of a request body with a length */
	bool parsing;      /* a callback is running, so freeing waits until it returns */
	bool chunked;      /* how the request's body is framed */
	bool request_done; /* its last byte was queued */
	bool has_body;     /* the request has one */
	bool full;         /* the owner was told to wait for `writable` */
	bool answered;     /* a byte came since the request */
	bool keep;         /* the answer allows another request after it */
	bool eof;          /* the other side will send no more */
	bool more;         /* the connection holds bytes after those that are being parsed */
};

void upstream_go(struct upstream *u, enum upstream_state to);
void upstream_set_turn(struct upstream *u); /* whose turn it is to move bytes */

static inline bool upstream_busy(const struct upstream *u)
{
	return u->state == UPSTREAM_ASKED || u->state == UPSTREAM_ANSWERED;
}

#endif
