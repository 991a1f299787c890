/* upstream_h2.h - an HTTP/2 session and its streams, for the files that implement them:
 * upstream_h2_session.c has the session's life, upstream_h2.c what comes on its streams and
 * upstream_h2_send.c what goes. */
#ifndef NET_UPSTREAM_H2_H
#define NET_UPSTREAM_H2_H

#include <nghttp2/nghttp2.h>

#include "base/list.h"
#include "net/http_rest.h"
#include "net/upstream_carrier.h"
#include "net/upstream_session.h"
#include "wire/http2_strings.h"

/* The fields of a header block while they come.  A connection has one at a time. */
struct session_fields {
	struct buf text; /* NUL-terminated names and values */
	struct {
		size_t name, value; /* where they begin */
	} at[LIMIT_HTTP_HEADERS];
	size_t n;
	unsigned status; /* 0: none came */
	bool too_big;
};

struct session {
	nghttp2_session *h2;
	struct http2_strings strings;
	struct conn *c;        /* NULL: closed */
	uv_timer_t soon, late; /* what is owed from the loop; what is due */
	struct list streams;   /* open ones */
	struct list todo;      /* those of them that are owed a call */
	struct list dead;      /* those whose owner is owed `closed` */
	size_t n;              /* open streams */
	size_t kept, debt;     /* body that the owners did not take; what of it is not credited */
	const struct session_ops *ops; /* NULL: it is retired */
	void *owner;                   /* borrowed */
	const char *why;               /* the connection ends; NULL: not known */
	struct session_fields fields;
	int64_t idle_ms, born_ms;
	bool tls;
	bool settings; /* the server's came, so it speaks HTTP/2 */
	bool ending;   /* takes no request */
	int handles;
};

/* Where a stream is; the right column is where it may go.
 *
 *   FREE      the request was not sent               ASKED, FAILED, CLOSING
 *   ASKED     the final answer's head did not come   ANSWERED, FAILED, CLOSING
 *   ANSWERED  the body follows                       DONE, FAILED, CLOSING
 *   DONE      `end` was called                       CLOSING
 *   FAILED    `failed` was called                    CLOSING
 *   CLOSING   only `closed` is still to come         - */
enum upstream_h2_state {
	UPSTREAM_H2_FREE,
	UPSTREAM_H2_ASKED,
	UPSTREAM_H2_ANSWERED,
	UPSTREAM_H2_DONE,
	UPSTREAM_H2_FAILED,
	UPSTREAM_H2_CLOSING,
	UPSTREAM_H2_NUM_STATES
};

struct upstream_h2 {
	struct upstream base;
	struct list in, in_todo; /* in streams or dead; in todo */
	struct session *s;
	enum upstream_h2_state state;
	int32_t id; /* 0: nghttp2 knows no such stream, or no longer */
	struct http_head head, trailers;
	struct http_rest rest;
	struct buf out;          /* request body that nghttp2 did not take */
	struct buf out_trailers; /* name NUL value NUL ... */
	const char *lost;        /* why it fails once `rest` is taken; NULL: it does not */
	int64_t limit_ms, since_ms;
	int32_t window; /* of its answer */
	int64_t moved;  /* bytes of the answer since the window grew, or since they were stopped */
	unsigned interims;
	bool no_body;                      /* the request has none */
	bool request_done, deferred, full; /* deferred: nghttp2 waits for `out` */
	bool answered, complete;           /* complete: nothing of the answer is still to come */
	bool has_trailers, reset_by_peer, timed_out;
	bool turn;   /* the server's, to take or to send bytes */
	bool resume; /* why it is in todo: the owner takes more */
};

/* upstream_h2_session.c */
void session_soon(struct session *s); /* flush, and call what is owed, from the loop */
void session_todo(struct upstream_h2 *u);
void session_watch(struct session *s, int64_t ms); /* look at the streams' limits then */
void session_break(struct session *s, const char *why);
void session_stream_over(struct upstream_h2 *u); /* it is FAILED or CLOSING */

/* upstream_h2.c */
void upstream_h2_callbacks(nghttp2_session_callbacks *to);
void upstream_h2_go(struct upstream_h2 *u, enum upstream_h2_state to);
void upstream_h2_lose(struct upstream_h2 *u, enum upstream_loss loss, const char *why);
void upstream_h2_goes_on(struct upstream_h2 *u);
void upstream_h2_set_turn(struct upstream_h2 *u);
void upstream_h2_moved(struct upstream_h2 *u);
void upstream_h2_credit(struct upstream_h2 *u, size_t size);
void upstream_h2_let_go(struct upstream_h2 *u);
void upstream_h2_free(struct upstream_h2 *u);

/* upstream_h2_send.c */
extern const struct upstream_carrier upstream_h2_carrier;
ssize_t upstream_h2_read(nghttp2_session *h2, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
			 nghttp2_data_source *source, void *arg);

static inline struct upstream_h2 *upstream_h2_of(struct upstream *base)
{
	return container_of(base, struct upstream_h2, base);
}

static inline const struct upstream_h2 *upstream_h2_of_const(const struct upstream *base)
{
	static_assert(offsetof(struct upstream_h2, base) == 0, "base is not first");
	return (const struct upstream_h2 *)(const void *)base;
}

static inline bool upstream_h2_is_over(const struct upstream_h2 *u)
{
	return u->state >= UPSTREAM_H2_DONE;
}

#endif
