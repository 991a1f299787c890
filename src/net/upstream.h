/* upstream.h - an HTTP/1.1 client over a connected socket, for the relay to a guest.
 *
 * One struct upstream is one connection; requests go over it one after the other.  Nothing is
 * buffered whole: answer bytes are handed on as they come and the owner says when it can take no
 * more; request bytes queue up to LIMIT_HTTP_BUFFER.  The other side is hostile: what is no
 * strict HTTP/1.1 answer ends in `failed`. All callbacks come from the loop, never from inside a
 * call of these functions. */
#ifndef NET_UPSTREAM_H
#define NET_UPSTREAM_H

#include "net/conn.h"
#include "wire/http1.h"

struct upstream;

struct upstream_ops {
	/* An interim answer (100, 103); may be NULL. */
	void (*interim)(struct upstream *u, const struct http_head *h);
	/* The final answer's head, valid until `end`.  101 means: call upstream_take_conn now or
	 * upstream_close. */
	void (*head)(struct upstream *u, const struct http_head *h);
	/* Returns how much was taken; fewer stops reading until upstream_read_more. */
	size_t (*body)(struct upstream *u, const uint8_t *data, size_t size);
	/* The answer is complete.  upstream_reusable says if another request may be sent; if it is
	 * not, or nobody needs it, upstream_close. */
	void (*end)(struct upstream *u);
	/* Room again after upstream_send_body answered false. */
	void (*writable)(struct upstream *u);
	/* The connection broke, was closed early, or the answer is not HTTP.  Nothing comes after
	 * it but `closed`.  Also called for an idle kept connection that the other side closed. */
	void (*failed)(struct upstream *u, const char *why);
	/* Final, after upstream_close or `failed`: *u is freed after it returns. */
	void (*closed)(struct upstream *u);
};

/* Takes the descriptor over; NULL: *e, the descriptor is closed. */
struct upstream *upstream_new(uv_loop_t *loop, int fd, const struct upstream_ops *ops, void *owner,
			      struct err *e);
void *upstream_owner(const struct upstream *u);
/* A kept connection goes to its next user; only between answers. */
void upstream_set_owner(struct upstream *u, const struct upstream_ops *ops, void *owner);

#define UPSTREAM_NO_BODY (-1)
#define UPSTREAM_CHUNKED (-2)

/* Send a head.  `headers` without connection and the framing ones, which are ours (with an
 * "upgrade" among them "connection: upgrade" is sent).  @length: of the body, or one of the two
 * above.  False: a name or value that no message may carry; nothing was sent. */
bool upstream_request(struct upstream *u, const char *method, const char *target,
		      const struct http_header *headers, size_t n, int64_t length) must_check;
/* False: full, wait for `writable`; the bytes were taken all the same. */
bool upstream_send_body(struct upstream *u, const void *data, size_t size);
void upstream_send_end(struct upstream *u);

void upstream_read_more(struct upstream *u);      /* the body callback has room again */
bool upstream_answered(const struct upstream *u); /* a byte of the answer came: no silent retry */
bool upstream_reusable(const struct upstream *u);
/* `failed` when the other side, with a request before it, neither takes nor sends a byte so long,
 * not counting the time in which the owner takes none. */
void upstream_limit(struct upstream *u, int64_t silence_ms);
bool upstream_timed_out(const struct upstream *u);     /* in `failed`: that was why */
void upstream_timeout(struct upstream *u, int64_t ms); /* `failed` after such a silence; 0: off */
void upstream_close(struct upstream *u);

/* After a 101 (inside `head` or later): the connection is yours, early bytes are given to
 * ops->data from the loop; *u is gone without another callback. */
struct conn *upstream_take_conn(struct upstream *u, const struct conn_ops *ops, void *owner);

#endif
