/* upstream_session.h - an HTTP/2 connection to a server, whose streams are requests (RFC 9113).
 *
 * A session takes requests until it is retired: by its owner, because the server said GOAWAY,
 * because it was idle for too long, or because the connection ended.  Those that it has then go on,
 * and with the last of them it ends and is freed, so nobody else frees it.
 *
 * Answers are credited to the server's windows when the owner of the request took them, so what a
 * session holds is bounded by its windows; one answer that nobody takes leaves room for others. */
#ifndef NET_UPSTREAM_SESSION_H
#define NET_UPSTREAM_SESSION_H

#include "net/upstream.h"

struct session;

struct session_ops {
	/* The server's SETTINGS came, so there may be room for more than the first request. */
	void (*ready)(void *owner);
	/* Called once, from the loop or from inside session_retire: the session takes no request
	 * any more, and forgets its owner. */
	void (*retired)(void *owner);
};

/* Takes over a connection that is open, or one without TLS. */
struct session *session_new(uv_loop_t *loop, struct conn *c, bool tls,
			    const struct session_ops *ops, void *owner);
void session_retire(struct session *s);
bool session_is_ready(const struct session *s);
/* Without a request it is retired after so long. */
void session_idle_limit(struct session *s, int64_t ms);

/* May one more request be sent?  The server says how many it takes at a time, and until it has said
 * so it gets one. */
bool session_has_room(const struct session *s);
/* A request, for upstream_request; only while there is room. */
struct upstream *session_stream(struct session *s, const struct upstream_ops *ops, void *owner);

#endif
