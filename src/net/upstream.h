/* upstream.h - requests of a client over a connected socket, for the relay to a guest.
 *
 * A struct upstream is what carries a request: over HTTP/1.1 a connection, which carries one after
 * the other, and over HTTP/2 one stream of a session (upstream_session.h).  Nothing is buffered
 * whole.  Answer bytes are handed on as they come, and the owner says when it cannot take more;
 * request bytes queue up to LIMIT_HTTP_BUFFER.  The other side is hostile: an answer that is not
 * strict HTTP ends in `failed`.  All callbacks come from the loop, never from inside one of these
 * functions. */
#ifndef NET_UPSTREAM_H
#define NET_UPSTREAM_H

#include "net/conn.h"
#include "wire/http1.h"

struct upstream;

struct upstream_ops {
	/* An interim answer (100, 103); may be NULL. */
	void (*interim)(struct upstream *u, const struct http_head *h);
	/* The final answer's head, which is valid until `end`.
	 * After a 101, call upstream_take_conn at once, or upstream_close. */
	void (*head)(struct upstream *u, const struct http_head *h);
	/* Returns how much was taken; taking less stops reading until upstream_read_more. */
	size_t (*body)(struct upstream *u, const uint8_t *data, size_t size);
	/* Fields behind the body, valid until `end` returns.  May be NULL. */
	void (*trailers)(struct upstream *u, const struct http_header *fields, size_t n);
	/* The answer is complete. upstream_reusable says whether another request may be sent.  If
	 * not, or if nobody needs the connection, call upstream_close. */
	void (*end)(struct upstream *u);
	/* There is room again after upstream_send_body returned false. */
	void (*writable)(struct upstream *u);
	/* The connection broke, was closed early or timed out, or the answer is not HTTP.  Only
	 * `closed` comes after it.  Also called for an idle connection that the other side closed.
	 */
	void (*failed)(struct upstream *u, const char *why);
	/* The last call, after upstream_close or `failed`.  *u is freed after it returns. */
	void (*closed)(struct upstream *u);
};

/* What the other side can have seen of a request that failed; the default is the careful one. */
enum upstream_loss {
	UPSTREAM_UNSURE, /* the server may have acted on it */
	UPSTREAM_UNSEEN, /* the server says that it has not looked at it, so it may be sent again */
	UPSTREAM_RESET,  /* the server gave it up itself: see upstream_reset */
	UPSTREAM_NUM_LOSSES
};

/* HTTP/1.1 over a connection that is open; takes it over. */
struct upstream *upstream_over(struct conn *c, const struct upstream_ops *ops, void *owner);
void *upstream_owner(const struct upstream *u);
/* Give a kept connection to its next user.  Allowed only between answers. */
void upstream_set_owner(struct upstream *u, const struct upstream_ops *ops, void *owner);

#define UPSTREAM_NO_BODY (-1)
#define UPSTREAM_CHUNKED (-2) /* a body whose length nobody knows */

/* Send a head; that of a request with a body waits for the first piece of it, or for upstream_push,
 * so that an application which is impatient gets both at once.  @headers must contain neither
 * Connection nor those that frame the body; the first of them is Host.  If they contain Upgrade,
 * HTTP/1.1 sends "connection: upgrade" and HTTP/2 nothing of it.
 * @length is that of the body, or one of the two values above.  False: no message may carry one of
 * the names or values, and nothing was sent. */
bool upstream_request(struct upstream *u, const char *method, const char *target,
		      const struct http_header *headers, size_t n, int64_t length) must_check;
void upstream_push(struct upstream *u);
/* False: the queue is full, so wait for `writable`.  The bytes were taken all the same. */
bool upstream_send_body(struct upstream *u, const void *data, size_t size);
void upstream_send_end(struct upstream *u);
/* Instead of upstream_send_end.  A body with a length drops them over HTTP/1.1. */
void upstream_send_trailers(struct upstream *u, const struct http_header *fields, size_t n);

void upstream_read_more(struct upstream *u);      /* the body callback has room again */
bool upstream_answered(const struct upstream *u); /* a byte of the answer came, so the request
						     must not be repeated */
enum upstream_loss upstream_loss(const struct upstream *u); /* to be asked in `failed` */
uint32_t upstream_reset(const struct upstream *u); /* HTTP/2's error code, after UPSTREAM_RESET */
bool upstream_reusable(const struct upstream *u);
/* Can neither bytes nor an end be read?  What is read of a connection without a request ends it,
 * and may not have been read yet. */
bool upstream_is_quiet(const struct upstream *u);
/* Call `failed` when the other side, while it has a request, neither takes nor sends a byte for
 * this long.  Time in which the owner takes nothing does not count. */
void upstream_limit(struct upstream *u, int64_t silence_ms);
bool upstream_timed_out(const struct upstream *u);     /* to be asked in `failed`: did
							  upstream_limit or upstream_timeout end
							  it?  */
void upstream_timeout(struct upstream *u, int64_t ms); /* calls `failed` after so long a silence;
							  0: off */
void upstream_close(struct upstream *u);

/* Call it after a 101, inside `head` or later.  The connection is then the caller's, bytes that
 * came early are given to ops->data from the loop, and *u is freed without another callback. */
struct conn *upstream_take_conn(struct upstream *u, const struct conn_ops *ops, void *owner);

#endif
