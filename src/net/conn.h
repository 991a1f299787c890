/* conn.h - a byte connection on libuv: plain or TLS (OpenSSL over memory BIOs), with backpressure.
 *
 * All callbacks come on the loop's thread.  A connection is closed once, by
 * conn_close; `closed` is the last callback and the moment to free its owner. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <uv.h>

#include "base/err.h"

struct conn;
struct tls; /* an SSL_CTX of a server: certificate, ALPN */

/* PEM text with key, leaf and chain. ALPN offers are a NULL-terminated list, or NULL. */
struct tls *tls_server_new(const char *pem, size_t size, const char *const *alpn, struct err *e);
void tls_free(struct tls *t);

struct conn_ops {
	void (*open)(struct conn *c); /* the handshake is done (at once on plain ones) */
	/* Bytes came: returns how many were taken; the rest is kept and given again after
	 * conn_resume. */
	size_t (*data)(struct conn *c, const uint8_t *data, size_t size);
	/* A conn_resume takes effect; kept bytes follow.  May be NULL, like open and drained. */
	void (*resumed)(struct conn *c);
	void (*end)(struct conn *c);     /* the peer will send no more */
	void (*drained)(struct conn *c); /* conn_queued fell below the low mark after it was above
					    the high one */
	void (*closed)(struct conn *c);  /* final; *c is freed after it returns */
};

/* Take over a connected socket.  tls NULL: plain.  @owner is yours. */
struct conn *conn_new(uv_loop_t *loop, int fd, struct tls *tls, const struct conn_ops *ops,
		      void *owner, struct err *e);
void *conn_owner(const struct conn *c);
void conn_set_owner(struct conn *c, const struct conn_ops *ops,
		    void *owner);            /* hand-over, e.g. an upgrade */
const char *conn_sni(const struct conn *c);  /* lower case; "" if none */
const char *conn_alpn(const struct conn *c); /* "" if none */

void conn_write(struct conn *c, const void *data, size_t size); /* copied; errors end in closed */
size_t conn_queued(const struct conn *c);
bool conn_full(const struct conn *c); /* above the high mark: stop reading the other side */
void conn_pause(struct conn *c);      /* stop reading */
void conn_resume(
	struct conn *c); /* kept bytes are given again from the loop, not from inside this call */
size_t conn_kept(const struct conn *c); /* bytes that `data` did not take yet */
void conn_shutdown(struct conn *c);     /* send what is queued, then close_notify and FIN */
void conn_close(struct conn *c);        /* now; queued bytes are lost */
void conn_close_after_write(struct conn *c);
void conn_timeout(struct conn *c,
		  int64_t ms); /* conn_close when nothing came or went so long; 0: off */

/* How slow the peer may be (pace.h): conn_close when its budget is spent.  What is queued for it
 * counts by itself; what is expected of it counts between conn_await(c, true) and (c, false). */
void conn_pace_out(struct conn *c, int64_t budget_ms, int64_t rate);
void conn_pace_in(struct conn *c, int64_t budget_ms, int64_t rate);
void conn_await(struct conn *c, bool on);
bool conn_timed_out(const struct conn *c); /* it was closed for its silence or slowness */

struct quota_source;
/* The connection counts as one of @s until it is closed, whoever owns it then. */
void conn_count(struct conn *c, struct quota_source *s);

/* Accept on a listening socket (owned); `accepted` gets each new descriptor (owned by it). */
struct accepter;
struct accepter *accepter_new(uv_loop_t *loop, int fd, void (*accepted)(void *arg, int fd),
			      void *arg, struct err *e);
void accepter_free(struct accepter *a);

#endif
