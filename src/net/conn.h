/* conn.h - a byte connection on libuv: plain or TLS (OpenSSL over memory BIOs), with backpressure.
 *
 * All callbacks run on the loop's thread. conn_close closes a connection, once; `closed` is its
 * last callback and the moment to free the owner. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <uv.h>

#include "base/err.h"

struct conn;
struct tls; /* tls.h */

struct conn_ops {
	void (*open)(struct conn *c); /* the handshake is done; on a plain connection, at once */
	/* A server's bytes before TLS: returns how many are not TLS's.  NULL: none. */
	size_t (*before_tls)(struct conn *c, const uint8_t *data, size_t size);
	/* Bytes came.  Returns how many were taken; the rest is kept and given again after
	 * conn_resume. */
	size_t (*data)(struct conn *c, const uint8_t *data, size_t size);
	/* A conn_resume takes effect, and the kept bytes follow.  May be NULL, as may open and
	 * drained. */
	void (*resumed)(struct conn *c);
	void (*end)(struct conn *c);     /* the peer will send no more */
	void (*drained)(struct conn *c); /* conn_queued fell below the low mark after it had been
					    above the high mark */
	void (*closed)(struct conn *c);  /* the last call; *c is freed after it returns */
};

/* Takes ownership of a connected socket.  @tls NULL: plain.  @owner is the caller's. */
struct conn *conn_new(uv_loop_t *loop, int fd, struct tls *tls, const struct conn_ops *ops,
		      void *owner, struct err *e);
bool conn_is_closing(const struct conn *c); /* only `closed` is still to come */
void *conn_owner(const struct conn *c);
/* Hand the connection over, for example at an upgrade. */
void conn_set_owner(struct conn *c, const struct conn_ops *ops, void *owner);
const char *conn_sni(const struct conn *c); /* lower case; "" if none */
bool conn_peer(const struct conn *c, struct sockaddr_storage *to) must_check;
const char *conn_alpn(const struct conn *c); /* "" if none */

/* Copies the bytes; an error ends in `closed`. */
void conn_write(struct conn *c, const void *data, size_t size);
size_t conn_queued(const struct conn *c);
bool conn_full(const struct conn *c); /* above the high mark: stop reading the other side */
/* Let no more than about so many bytes be in the kernel's hands that the peer has not got. */
void conn_unsent(struct conn *c, int bytes);
void conn_pause(struct conn *c); /* stop reading */
/* Kept bytes are given again from the loop, not from inside this call. */
void conn_resume(struct conn *c);
/* Nothing is given any more without conn_resume: it is paused, or bytes are kept. */
bool conn_waits(const struct conn *c);
size_t conn_kept(const struct conn *c); /* bytes that `data` did not take yet */
/* Another descriptor of a plain one, the caller's: somebody else goes on with it once this one is
 * closed.  Nothing may be queued or kept.  -1 with errno. */
int conn_duplicate(const struct conn *c);
/* Nothing can be read at the moment: neither bytes, nor an end, nor an error.  For plain ones. */
bool conn_is_quiet(const struct conn *c);
void conn_shutdown(struct conn *c); /* send what is queued, then close_notify and FIN */
void conn_close(struct conn *c);    /* at once; queued bytes are lost */
void conn_close_after_write(struct conn *c);
void conn_timeout(struct conn *c, int64_t ms); /* a silence of both sides closes it; 0: off */

/* How slow the peer may be (pace.h): the connection is closed when the peer's budget is spent.
 * Time counts outwards while bytes are queued for the peer, and inwards between conn_await(c,
 * true) and conn_await(c, false). */
void conn_pace_out(struct conn *c, int64_t budget_ms, int64_t rate);
void conn_pace_in(struct conn *c, int64_t budget_ms, int64_t rate);
void conn_await(struct conn *c, bool on);
/* For an owner whose bytes wait for the peer's leave (HTTP/2's windows): its time counts outwards
 * while @on, and what it let through since the last call, @moved, earns some back. */
void conn_owe(struct conn *c, bool on, size_t moved);
/* Was it closed because the peer was silent or too slow?  */
bool conn_timed_out(const struct conn *c);

struct quota_source;
/* The connection counts as one of @s until it is closed, whoever owns it then. */
void conn_count(struct conn *c, struct quota_source *s);

/* Accepts on a listening socket, which it owns; `accepted` owns each new descriptor. */
struct accepter;
struct accepter *accepter_new(uv_loop_t *loop, int fd, void (*accepted)(void *arg, int fd),
			      void *arg, struct err *e);
void accepter_free(struct accepter *a);

#endif
