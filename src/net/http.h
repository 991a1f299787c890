/* http.h - an HTTP server and the exchange that every handler sees.
 *
 * An exchange is one request and its answer, whatever carries it: today
 * HTTP/1.1 with keep-alive, later an HTTP/2 stream behind the same functions.
 * Nothing is buffered whole: request bytes are handed on as they come, the
 * handler says when it cannot take more; answer bytes queue up to LIMIT_HTTP_BUFFER
 * and `writable` says when there is room again. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/limits.h"
#include "net/conn.h"
#include "wire/http1.h"

struct http_server;
struct http_exchange;

struct http_handler {
	/* The head is complete.  Answer at once, or later.  x's user pointer is yours. */
	void (*head)(struct http_exchange *x);
	/* A piece of the body: returns how much was taken (fewer pauses reading until
	 * http_read_more). */
	size_t (*body)(struct http_exchange *x, const uint8_t *data, size_t size);
	void (*end)(struct http_exchange *x); /* the request is complete */
	/* Neither body nor end come after http_send_end. */
	void (*writable)(
		struct http_exchange *x); /* room again after http_send_body answered false */
	/* Last call: the answer is out, or the client is gone (then http_gone() is true).  Free
	 * your state. */
	void (*done)(struct http_exchange *x);
	/* Optional: a request that cannot be parsed; default is a plain-text answer. */
	void (*bad)(struct http_exchange *x, unsigned status, const char *why);
};

/* Serve connections of a listener; @tls NULL: plain. `arg` is http_server_arg(x). */
struct http_server *http_server_new(uv_loop_t *loop, struct tls *tls,
				    const struct http_handler *handler, void *arg);
/* What its clients may hold; without it, the values of base/limits.h. */
void http_server_limit(struct http_server *s, const struct client_limits *limits);
int http_server_listen(struct http_server *s, int fd,
		       struct err *e) must_check;                 /* takes the socket over */
void http_server_set_tls(struct http_server *s, struct tls *tls); /* for new connections */
void http_server_free(struct http_server *s); /* closes listeners and connections */

const struct http_head *http_request(const struct http_exchange *x); /* valid until done */
const char *http_sni(const struct http_exchange *x);
void *http_server_arg(const struct http_exchange *x);
void *http_user(const struct http_exchange *x);
void http_set_user(struct http_exchange *x, void *user);
bool http_gone(const struct http_exchange *x);
uv_loop_t *http_loop(const struct http_exchange *x);

/* The handler keeps @size more bytes of the body in memory, for a request that it does not trust
 * yet.  False: strangers' requests hold too much already, so refuse this one.  What is kept counts
 * until http_trust, or the end of the exchange. */
bool http_keep(struct http_exchange *x, size_t size) must_check;
void http_trust(struct http_exchange *x);

void http_read_stop(struct http_exchange *x); /* no body for now; in `head`: the client that waits
						 for a 100 goes on waiting */
void http_read_more(struct http_exchange *x); /* the body handler has room again */
void http_send_continue(
	struct http_exchange *x); /* 100, if the client waits for it; sent by itself
				     when `head` returned without an answer and
				     without http_read_stop, and by http_read_more */

/* The answer: head (length -1: chunked, or until close for HTTP/1.0), body, end.  `headers` without
 * the framing ones, which are ours.  After a final answer with unread request body the connection
 * closes. */
void http_send_head(struct http_exchange *x, unsigned status, const struct http_header *headers,
		    size_t n, int64_t length);
bool http_send_body(struct http_exchange *x, const void *data,
		    size_t size); /* false: full, wait for writable */
void http_send_end(struct http_exchange *x);
void http_abort(struct http_exchange *x); /* the answer cannot be finished: the connection is cut */
/* All in one. */
void http_answer(struct http_exchange *x, unsigned status, const struct http_header *headers,
		 size_t n, const void *body, size_t size);

/* After an upgrade was agreed (http_send_head 101): the connection is yours with its ops; early
 * bytes are given to ops->data from the loop; `done` is not called any more. */
struct conn *http_take_conn(struct http_exchange *x, const struct conn_ops *ops, void *owner);

#endif
