/* caller.h - whoever wants a connection to a port of a microVM: a request, an upgraded connection,
 * a client of a published port, a flow of datagrams.
 *
 *   caller_gate -> waiting (in route.waiting) -> dialing (in proxy.connecting) -> ops->opened
 *               -> ops->refuse
 *
 * A caller waits for its microVM, and then for its turn at the port (line.h).  While it dials it
 * may have to wait again; if its machine may no longer be used, it goes back to its gate.  It is
 * embedded in its owner, who sets port, way and route before caller_gate.  queue.c has those who
 * wait, caller.c those who dial. */
#ifndef PROXY_CALLER_H
#define PROXY_CALLER_H

#include "proxy/line.h"
#include "proxy/proxy.h"

struct caller;

struct caller_ops {
	/* Is there a connection that it can have without a dial?  It is then inside.  May be NULL.
	 */
	bool (*take_kept)(struct caller *c);
	/* It has to wait now, for its microVM or for its turn at the port.  May be NULL. */
	void (*held)(struct caller *c, bool for_microvm);
	/* May it dial now, or have a connection that somebody shares?  NULL: as line_has_turn. */
	bool (*has_turn)(struct caller *c, const struct line *line);
	/* Inside: the descriptor is the owner's, and so is the link, which stands in
	 * route->relays.  False: this connection was of no use, so it waits for another turn. */
	bool (*opened)(struct caller *c, int fd);
	/* It gets nothing, and @reason says more than the name of @why.  *c may be gone afterwards.
	 */
	void (*refuse)(struct caller *c, enum refusal why, const char *reason);
};

struct caller {
	struct link link; /* in route->relays: dialing or inside */
	struct list in_connecting;
	struct waiter waiter;
	const struct caller_ops *ops;
	struct proxy *proxy; /* borrowed */
	struct route *route; /* borrowed; NULL: denied or finished */
	struct line *line;   /* borrowed, while it waits or dials there */
	struct dial *dial;   /* owned; NULL: not dialing */
	uint16_t port;
	enum connect_way way;
	int64_t hold_until_ms, dial_since_ms; /* monotonic; 0: not yet */
};

void caller_init(struct caller *c, struct proxy *p, const struct caller_ops *ops);
void caller_gate(struct caller *c);  /* connect, wait or refuse, as the route says */
void caller_leave(struct caller *c); /* let go of the route and of every place in it */
/* Its machine may no longer be used, and it is not inside yet: back to the gate. */
void caller_cut(struct link *l);
void caller_refuse(struct caller *c, enum refusal why, const char *text, ...) printf_like(3, 4);
/* It waits for its microVM, not for its turn at a port. */
bool caller_is_held(const struct caller *c);

/* Ask the machine once more for a connection to the port, beside the queue. */
struct dial *caller_dial_port(const struct caller *c,
			      void (*done)(void *arg, enum dial_result result, int fd), void *arg);

/* Between the two files. */
void caller_wait(struct caller *c, struct line *line); /* in this line; NULL: for the microVM */
void caller_unwait(struct caller *c);                  /* harmless if it does not wait */
void caller_dial(struct caller *c, struct line *line);
void caller_dial_tick(struct caller *c, int64_t now_ms);
/* Somebody in the line gave up or finished: look soon who is next. */
void queue_look_again(struct proxy *p, struct line *line);
/* Something changed for who waits there. */
void queue_look_at_port(struct proxy *p, struct route *route, uint16_t port);

#endif
