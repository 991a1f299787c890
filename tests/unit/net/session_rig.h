/* session_rig.h - an HTTP/2 session over a pair of sockets, for its unit test and for its fuzz
 * target, which are the server and the owners of the requests. */
#ifndef TESTS_NET_SESSION_RIG_H
#define TESTS_NET_SESSION_RIG_H

#include "net/upstream_session.h"

#define SESSION_RIG_STREAMS 4

struct session_rig {
	uv_loop_t loop;
	struct session *s;                        /* NULL: retired */
	struct upstream *up[SESSION_RIG_STREAMS]; /* whoever hears `closed` sets it to NULL */
	int peer;                                 /* the server's end */
	unsigned ready;                           /* how often it was said */
};

/* False: no socket could be had. */
bool session_rig_begin(struct session_rig *r) must_check;
/* A request without a head yet; its owner finds its number by session_rig_number. */
struct upstream *session_rig_stream(struct session_rig *r, size_t i,
				    const struct upstream_ops *ops);
size_t session_rig_number(const struct session_rig *r, const struct upstream *u);
/* One turn of the loop; what the client sent is added to @sent (NULL: nobody wants it).  @takes:
 * owners that left bytes take them. */
void session_rig_turn(struct session_rig *r, bool takes, struct buf *sent);
/* The server sends no more.  False: not all was freed in time. */
bool session_rig_end(struct session_rig *r) must_check;

#endif
