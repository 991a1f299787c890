/* relay.h - one request on its way: relay.c is the client's side of it, queue.c says when it goes
 * on, forward.c is the guest's side.
 *
 *   head -> denied
 *        -> waiting (in route.waiting) -> dialing (in proxy.connecting) -> forwarding -> finished
 *
 * A request waits for its microVM, and then for its turn at the port (line.h).  While it dials it
 * may have to wait again.  A relay that nobody may forward any more goes back to its gate while it
 * dials, and ends when it is forwarding.  It lives as long as its exchange, or becomes a tunnel
 * (tunnel.h). */
#ifndef PROXY_RELAY_H
#define PROXY_RELAY_H

#include "net/upstream.h"
#include "proxy/auth.h"
#include "proxy/line.h"
#include "proxy/proxy.h"

struct relay {
	struct link link;          /* in route->relays: dialing or forwarding */
	struct list in_connecting; /* or in proxy->heads */
	struct waiter waiter;
	struct proxy *proxy;     /* borrowed */
	struct http_exchange *x; /* borrowed */
	struct route *route;     /* borrowed; NULL: denied or finished */
	struct line *line;       /* borrowed, while it waits or dials there */
	struct dial *dial;       /* owned; NULL: not dialing */
	struct upstream *up;     /* owned; NULL: not forwarding */
	struct auth_offer offer;
	char id[UUID_SIZE];
	uint16_t port;
	int64_t hold_until_ms, dial_since_ms; /* monotonic; 0: not yet */
	int64_t kept_ms;       /* how long its connection had been idle, if it was a kept one */
	int64_t keep_alive_ms; /* how long the application says that it keeps it */
	const struct http_header *trailers; /* of the request, once it has `ended`; borrowed */
	size_t n_trailers;
	const struct http_header *answer_trailers; /* borrowed until the answer's end */
	size_t n_answer_trailers;
	unsigned emptied; /* connections that ended before the request was sent */
	bool ended;       /* the request is complete */
	bool reused;      /* the connection had served another request, so this one is repeatable */
	bool answered;    /* the application said something, but it cannot be passed on */
	bool headed;      /* the answer's head went to the client */
	bool client_full; /* the client takes no more for now */
	bool guest_full;
};

/* relay.c */
void relay_detach(struct relay *r); /* let go of the route and of everything that leads into the
				       machine */
/* End it with this status and an empty body or, if the answer has begun, with a cut.  The client
 * and the microVM's log are told why.  *r may be gone afterwards. */
void relay_refuse(struct relay *r, unsigned status, const char *why, ...)
	__attribute__((format(printf, 3, 4)));
void relay_free(struct relay *r);

/* queue.c */
void relay_gate(struct relay *r); /* connect, wait or refuse, as the route says */
void relay_wait(struct relay *r, struct line *line); /* in this line; NULL: for the microVM */
void relay_unwait(struct relay *r);                  /* harmless if it does not wait */
void relay_connect(struct relay *r);                 /* the gate is open */
/* Somebody in the line gave up or finished: look soon who is next. */
void relay_look_again(struct proxy *p, struct line *line);

/* forward.c */
bool relay_take_kept(struct relay *r); /* a kept connection, if there is one for this request */
void relay_dial(struct relay *r, struct line *line);
void relay_dial_tick(struct relay *r, int64_t now_ms);

#endif
