/* conn_parts.h - a connection, for the three files that make it: conn.c (what comes, its life),
 * conn_send.c (what goes), conn_tls.c. */
#ifndef NET_CONN_PARTS_H
#define NET_CONN_PARTS_H

#include "base/limits.h"
#include "net/conn_tls.h"
#include "net/pace.h"
#include "net/quota.h"

struct conn {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	uv_timer_t timer;
	uv_write_t write;
	uv_shutdown_t shutdown;
	const struct conn_ops *ops;
	void *owner;            /* borrowed */
	struct conn_tls *tls;   /* NULL: plain */
	struct buf out, flight; /* not yet given to the kernel; being written by libuv */
	struct buf kept;        /* plain text that `data` did not take */
	unsigned handles;       /* still to be closed */
	bool opened, paused, kick, eof, ended, full, shut, fin_sent, closing;
	bool finishing, lingering; /* conn_close_after_write: what still comes is dropped */
	bool unheard; /* the peer takes no more; what it said before is still to be read */
	bool timed_out;
	int64_t last_ms, timeout_ms, deadline_ms; /* 0: none */
	int64_t armed_ms;                         /* when the timer is due; INT64_MAX: never */
	struct pace pace_in, pace_out;
	int64_t handed, taken; /* bytes that the kernel got; that the peer took, when last seen */
	struct quota_source *source; /* borrowed; NULL: not counted */
};

void conn_arm(struct conn *c);         /* the timer, after a deadline changed */
void conn_set_reading(struct conn *c); /* likewise, what decides about reading */
void conn_flush(struct conn *c);
void conn_look_at_peer(struct conn *c); /* what it took meanwhile earns it time */

static inline int64_t conn_now(const struct conn *c)
{
	return (int64_t)uv_now(c->timer.loop);
}

#endif
