/* http_h2.h - an HTTP/2 connection of the server (RFC 9113); for net/http_h2* only.
 *
 * nghttp2 reads and makes the frames; http_h2_frames.c hears of them, and judges how many of a kind
 * a client may send.  http_h2.c is the connection: its bytes, its time, its end.
 * http_h2_exchange.c gives requests to the handler, http_h2_send.c takes answers, and
 * http_h2_tunnel.c carries an upgraded stream.
 *
 * Nothing is sent from inside a handler's call: what is to be sent is queued, and h2_pump, which
 * nghttp2 does not allow inside its callbacks, runs from the loop.  An answer's head waits for that
 * turn too, so that an answer which ends with its head is one frame.
 *
 * A client's window is coupled to the handler: a stream is credited for what the handler took.  The
 * connection is credited as bytes come while no more than LIMIT_HTTP2_HELD wait in all its streams,
 * so that one that nobody takes does not stop the others. */
#ifndef NET_HTTP_H2_H
#define NET_HTTP_H2_H

#include <nghttp2/nghttp2.h>

#include "net/http_carrier.h"
#include "net/http_h2_flood.h"
#include "net/http_h2_window.h"
#include "net/http_rest.h"
#include "wire/http2_head.h"
#include "wire/http2_strings.h"
#include "wire/http_trailers.h"

#define H2_PIECE    (32 * KIB) /* that is given to the connection at once */
#define H2_KEY_SIZE 25         /* of a Sec-WebSocket-Key, with its NUL */

struct h2 {
	struct http_server *server;
	struct http_link link;
	struct http_wait wait;   /* a block of header fields has begun */
	struct http_later later; /* frames may be due */
	struct conn *c;
	nghttp2_session *session;
	struct http2_strings strings;
	struct quota_source *source; /* borrowed */
	struct list streams, heads;  /* all; those whose answer's head waits */
	struct h2_floods floods;
	struct h2_window window;
	size_t block;                       /* bytes that came since a block began */
	bool in_block;                      /* it is not complete */
	bool closing;                       /* frames are made no more */
	size_t n_streams;                   /* that are open */
	size_t n_awaited;                   /* those whose request's next bytes are due */
	size_t held;                        /* bytes of bodies that nobody took yet */
	size_t uncredited;                  /* bytes that the connection's window still lacks */
	int32_t ended[LIMIT_HTTP2_STREAMS]; /* streams that we reset last, whose DATA may be on its
					       way */
	size_t n_ended;
	size_t pending;     /* bytes of answers that wait for a window, or for room */
	size_t let_through; /* ... and those that became frames since the last look */
};

/* How far the answer is.  Only forwards. */
enum h2_answer { H2_NO_ANSWER, H2_CONTINUED, H2_HEAD_WAITS, H2_HEAD_SENT, H2_ENDED, H2_ABORTED };

struct h2_stream {
	struct http_exchange x;
	struct h2 *h; /* borrowed */
	struct list in_h2, in_heads;
	struct http_later later; /* the handler may read or write again */
	int32_t id;
	enum h2_answer answer;
	struct http2_fields fields; /* of the block that is being read */
	struct http_rest rest;
	size_t rest_at;              /* how much of it was taken after all */
	size_t window;               /* that was granted */
	struct buf lines, tail, out; /* the answer's head, its trailers, its body */
	size_t out_at;               /* how much of `out` became frames */
	int64_t left;          /* bytes still to be sent of an answer with a length; -1: any */
	char key[H2_KEY_SIZE]; /* "": it asks for no WebSocket */
	struct duplex duplex;
	/* Facts that hold in any state: */
	bool handed;       /* the handler has the exchange */
	bool tunnel;       /* it became `duplex` */
	bool bodyless;     /* the answer has none, whatever is sent */
	bool request_done; /* its last frame came */
	bool told_end;     /* ... and the handler knows */
	bool awaited;      /* counted in n_awaited */
	bool resumes;      /* the handler takes bytes again */
	bool full;         /* the handler was told to wait for `writable` */
	bool leaves;       /* the tunnel ends with what is queued */
	bool asks_receipt; /* a PING follows what is queued; its answer says that all came */
	bool unwanted;     /* the answer is out, and the client still sends */
	/* Large, and valid only as far as they say; a new stream's are cleared, not zeroed: */
	struct http_head head;
	struct http_trailers trailers;
};

extern const struct http_carrier h2_carrier;
/* Frames on their way to a connection.  All share it: there is one loop, and h2_pump is done with
 * it when it returns. */
extern struct buf h2_out;
extern struct buf_stock h2_texts; /* for heads, and small bodies */

/* http_h2.c */
void h2_pump_later(struct h2 *h);
void h2_cut(struct h2 *h);
void h2_calm(struct h2 *h, const char *why); /* a flood: GOAWAY, and nothing more is read */

/* http_h2_frames.c */
nghttp2_session *h2_session_new(struct h2 *h);
void h2_block(struct h2 *h, bool open); /* a block of header fields goes on, or is complete */

/* http_h2_exchange.c */
struct h2_stream *h2_stream_new(struct h2 *h, int32_t id);
void h2_stream_closed(struct h2_stream *s); /* frees it */
void h2_got_head(struct h2_stream *s, bool ended);
void h2_got_trailers(struct h2_stream *s);
void h2_got_data(struct h2_stream *s, const uint8_t *data, size_t size);
void h2_got_end(struct h2_stream *s);
void h2_read_on(struct h2_stream *s);
void h2_set_awaited(struct h2_stream *s);
void h2_measured(struct h2 *h);

/* http_h2_send.c */
void h2_submit_heads(struct h2 *h);
void h2_queue(struct h2_stream *s, const void *data, size_t size);
void h2_reset(struct h2_stream *s, uint32_t code);
void h2_send_end(struct http_exchange *x);
ssize_t h2_read_answer(nghttp2_session *session, int32_t id, uint8_t *to, size_t room,
		       uint32_t *flags, nghttp2_data_source *source, void *arg);
int h2_put_answer(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t size,
		  nghttp2_data_source *source, void *arg);

/* http_h2_tunnel.c */
void h2_make_key(struct h2_stream *s);
bool h2_upgrade_fits(const struct http_exchange *x, const struct http_head *answer);
struct duplex *h2_take_duplex(struct http_exchange *x, const struct duplex_ops *ops, void *owner);
void h2_ask_receipt(struct h2_stream *s); /* nothing is queued any more */
/* The answer to a PING: if it is that of a receipt, its stream hears of it. */
void h2_got_receipt(struct h2 *h, const uint8_t opaque[8]);

static inline struct h2_stream *h2_of(struct http_exchange *x)
{
	return container_of(x, struct h2_stream, x);
}

static inline size_t h2_unread(const struct h2_stream *s)
{
	return s->rest.bytes.size - s->rest_at;
}

static inline size_t h2_queued(const struct h2_stream *s)
{
	return s->out.size - s->out_at;
}

#endif
