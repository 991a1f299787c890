/* relay.h - one request on its way: relay.c is the client's side of it, forward.c the guest's.
 *
 *   head -> denied
 *        -> holding (in route.waiting) -> connecting (in proxy.connecting) -> forwarding ->
 * finished
 *
 * A relay that nobody may forward any more goes back to its gate while it connects, and ends
 * when it is forwarding.  It lives as long as its exchange, or becomes a tunnel (tunnel.h). */
#ifndef PROXY_RELAY_H
#define PROXY_RELAY_H

#include "net/dial.h"
#include "net/upstream.h"
#include "proxy/auth.h"
#include "proxy/proxy.h"

struct relay {
	struct link link; /* in route->relays: connecting or forwarding */
	struct list in_connecting;
	struct waiter waiter;
	struct proxy *proxy;     /* borrowed */
	struct http_exchange *x; /* borrowed */
	struct route *route;     /* borrowed; NULL: denied or finished */
	struct dial *dial;
	struct upstream *up; /* owned; NULL: not forwarding */
	struct auth_offer offer;
	char id[UUID_SIZE];
	uint16_t port;
	int64_t hold_until_ms, connect_since_ms, dial_at_ms; /* monotonic; 0: not yet */
	bool ended;                                          /* the request is complete */
	bool reused;      /* the connection had served another request, so this one is repeatable */
	bool headed;      /* the answer's head went to the client */
	bool client_full; /* the client takes no more for now */
	bool guest_full;
};

/* relay.c */
void relay_gate(struct relay *r);   /* connect, hold or refuse, as the route says */
void relay_detach(struct relay *r); /* let go of the route and of everything that leads into the
				       machine */
/* End it with this status and an empty body or, if the answer has begun, with a cut.  *r may be
 * gone afterwards. */
void relay_end_with(struct relay *r, unsigned status);
void relay_fail(struct relay *r); /* with 502 */
void relay_free(struct relay *r);

/* forward.c */
void relay_connect(struct relay *r);
void relay_tick(struct relay *r, int64_t now_ms); /* while it connects */

#endif
