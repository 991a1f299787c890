/* http.h - an HTTP server, and the exchange that every handler sees.
 *
 * An exchange is one request and its answer, whatever carries it: HTTP/1.1 with keep-alive, or an
 * HTTP/2 stream.  Nothing is buffered whole.  Request bytes are
 * handed on as they come, and the handler says when it cannot take more.  Answer bytes queue up to
 * LIMIT_HTTP_BUFFER, and `writable` says when there is room again. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/limits.h"
#include "net/conn.h"
#include "net/duplex.h"
#include "wire/http1.h"

struct http_server;
struct http_exchange;

struct http_handler {
	/* The head is complete.  Answer at once, or later.  x's user pointer is yours. */
	void (*head)(struct http_exchange *x);
	/* A piece of the body came.  Returns how much was taken; taking less stops reading until
	 * http_read_more. */
	size_t (*body)(struct http_exchange *x, const uint8_t *data, size_t size);
	/* Fields behind the body, before `end`; they are valid until `done`.  May be NULL. */
	void (*trailers)(struct http_exchange *x, const struct http_header *fields, size_t n);
	void (*end)(struct http_exchange *x); /* the request is complete */
	/* After http_send_end neither body nor end is called. */
	void (*writable)(struct http_exchange *x); /* there is room again after http_send_body
						      returned false */
	/* The last call: the answer is out, or the client is gone (then http_gone is true).  Free
	 * your state. */
	void (*done)(struct http_exchange *x);
	/* A request cannot be parsed.  May be NULL: then it gets an answer in plain text. */
	void (*bad)(struct http_exchange *x, unsigned status, const char *why);
	/* Bodies go on to somebody else as they come: a client may be slow with them, but not
	 * silent. */
	bool passes_bodies_on;
};

/* @tls NULL: plain.  Handlers find @arg with http_server_arg. */
struct http_server *http_server_new(uv_loop_t *loop, struct tls *tls,
				    const struct http_handler *handler, void *arg);
/* Says what clients may hold.  Without this call the values of base/limits.h apply. */
void http_server_limit(struct http_server *s, const struct client_limits *limits);
int http_server_listen(struct http_server *s, int fd,
		       struct err *e) must_check;                 /* takes the socket over */
void http_server_set_tls(struct http_server *s, struct tls *tls); /* for new connections */
/* Another process takes new clients from now on.  Listeners are closed, and answers tell clients
 * that their connections end. */
void http_server_drain(struct http_server *s);
void http_server_end_idle(struct http_server *s);            /* those that wait for a client */
size_t http_server_connections(const struct http_server *s); /* without those handed over */
void http_server_free(struct http_server *s);                /* closes listeners and connections */

const struct http_head *http_request(const struct http_exchange *x); /* valid until done */
unsigned http_version(const struct http_exchange *x);                /* 1 or 2 */
const char *http_sni(const struct http_exchange *x);
/* The client's address; false: the connection is gone. */
bool http_peer(const struct http_exchange *x, struct sockaddr_storage *to) must_check;
#define HTTP_PEER_TEXT 64
bool http_peer_text(const struct http_exchange *x, char text[HTTP_PEER_TEXT]) must_check;
bool http_is_tls(const struct http_exchange *x); /* its server speaks TLS */
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

/* The client did not prove who it is.  One whose address did so too often (denied_per_minute) is
 * penalized: refuse its requests unseen. */
void http_penalize(struct http_exchange *x);
bool http_is_penalized(const struct http_exchange *x);

/* Take no body for now.  Called in `head`, it also keeps a client waiting that waits for a 100. */
void http_read_stop(struct http_exchange *x);
void http_read_more(struct http_exchange *x); /* the body handler has room again */
/* Send a 100 if the client waits for one.  This happens by itself when `head` returns with neither
 * an answer nor http_read_stop, and in http_read_more. */
void http_send_continue(struct http_exchange *x);

/* 100 or 103, before the answer.  It is left out where the client could not read it, or when it
 * waits for no 100. */
void http_send_interim(struct http_exchange *x, unsigned status, const struct http_header *headers,
		       size_t n);

/* The answer: head, body, end.  @length -1: chunked, or for HTTP/1.0 until the connection closes.
 * @headers must not contain those that frame the body.  If a final answer leaves too much of the
 * request's body unread, the connection closes. */
/* Instead of the status's usual phrase, for the next http_send_head; it must be fit for a header's
 * value. */
void http_set_reason(struct http_exchange *x, const char *reason);
void http_send_head(struct http_exchange *x, unsigned status, const struct http_header *headers,
		    size_t n, int64_t length);
/* False: the queue is full, so wait for `writable`. */
bool http_send_body(struct http_exchange *x, const void *data, size_t size);
void http_send_end(struct http_exchange *x);
/* Instead of http_send_end.  Over HTTP/1.1 they are left out unless the answer is chunked and the
 * client said `te: trailers`. */
void http_send_trailers(struct http_exchange *x, const struct http_header *fields, size_t n);
/* The answer cannot be finished: the connection is cut, or an HTTP/2 stream is reset. */
void http_abort(struct http_exchange *x);
void http_abort_code(struct http_exchange *x, uint32_t h2_code); /* ... with this code */
/* Head, body and end in one call. */
void http_answer(struct http_exchange *x, unsigned status, const struct http_header *headers,
		 size_t n, const void *body, size_t size);

/* Call it after an upgrade was agreed on (http_send_head with 101).  The connection, or the stream,
 * is then the caller's.  Bytes that came early are given to ops->data from the loop, and `done` is
 * not called. */
struct duplex *http_take_duplex(struct http_exchange *x, const struct duplex_ops *ops, void *owner);
/* Does this 101 answer what the client asked for? */
bool http_upgrade_fits(const struct http_exchange *x, const struct http_head *answer);

#endif
