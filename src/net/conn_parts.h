/* conn_parts.h - a connection, for the files that implement it: conn.c has its life and what it
 * receives, conn_send.c what it sends, conn_time.c its deadlines, and conn_tls.c the TLS half. */
#ifndef NET_CONN_PARTS_H
#define NET_CONN_PARTS_H

#include <uv.h>

#include "base/limits.h"
#include "base/list.h"
#include "net/conn_tls.h"
#include "net/pace.h"
#include "net/quota.h"

#define CONN_RECORD (16 * KIB) /* the plain text of a TLS record, at most */

/* Where a connection is in its life.  The right column is where it may go (conn_go asserts it).
 *
 *   NEW        nothing is given or taken yet; over TLS, the handshake   OPEN, CLOSING
 *   OPEN       bytes go both ways                                       FINISHING, CLOSING
 *   FINISHING  what is queued goes out, what comes is dropped           LINGERING, CLOSING
 *   LINGERING  our FIN is out; a moment for the peer's                  CLOSING
 *   CLOSING    only `closed` is still to come                           - */
enum conn_state {
	CONN_NEW,
	CONN_OPEN,
	CONN_FINISHING,
	CONN_LINGERING,
	CONN_CLOSING,
	CONN_NUM_STATES
};

/* Does the owner take bytes?  RESUMES: from the loop's next turn on. */
enum conn_reading { CONN_READS, CONN_PAUSED, CONN_RESUMES };

/* What the peer still sends: more, no more, and the owner knows.  Only forwards. */
enum conn_coming { CONN_MORE, CONN_EOF, CONN_END_TOLD };

/* What we still send: more, no more once the queue is empty, and our FIN is out.  Only forwards. */
enum conn_going { CONN_SENDS, CONN_SHUT, CONN_FIN_SENT };

struct conn {
	enum conn_state state;
	enum conn_reading reading;
	enum conn_coming coming;
	enum conn_going going;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	uv_timer_t timer;
	const struct conn_ops *ops;
	void *owner;            /* borrowed */
	struct conn_tls *tls;   /* NULL: plain */
	struct buf plain;       /* not yet encrypted */
	struct buf out, flight; /* not yet given to the kernel; being written by libuv */
	struct list in_batch;   /* while `plain` or `out` waits for the end of a callback */
	struct buf kept;        /* plain text that `data` did not take */
	unsigned handles;       /* still to be closed */
	bool full;              /* `drained` is owed: the queue was above the high mark */
	bool unheard;   /* the peer refuses our bytes; what it said before is still to be read */
	bool timed_out; /* why it is CLOSING, for the owner */
	int64_t last_ms, timeout_ms, deadline_ms; /* 0: none */
	int64_t armed_ms;                         /* when the timer is due; INT64_MAX: never */
	struct pace pace_in, pace_out, pace_owed;
	int64_t handed, taken; /* bytes that the kernel got; that the peer took, when last seen */
	struct quota_source *source; /* borrowed; NULL: not counted */
};

void conn_go(struct conn *c, enum conn_state to);
void conn_pump(struct conn *c);        /* hands on what came, and sends what is queued */
void conn_arm(struct conn *c);         /* call it after a deadline changed */
void conn_set_reading(struct conn *c); /* call it after something changed that decides about
					  reading */
void conn_flush(struct conn *c);
void conn_batch_begin(void); /* around whatever calls owners; they nest */
void conn_batch_end(void);
/* What is sent lies in buffers of these, so that an idle connection has none. */
extern struct buf_stock conn_bufs;
void conn_look_at_peer(struct conn *c); /* what it took meanwhile earns it time */

/* conn_close_after_write was called. */
static inline bool conn_finishes(const struct conn *c)
{
	return c->state == CONN_FINISHING || c->state == CONN_LINGERING;
}

static inline int64_t conn_now(const struct conn *c)
{
	return (int64_t)uv_now(c->timer.loop);
}

#endif
