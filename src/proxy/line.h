/* line.h - the requests that want a connection to one port of a microVM (design 7).
 *
 * An application accepts connections as fast as it can and keeps a few more in its backlog.  Who
 * dials beyond that waits in the guest's kernel, which forgets the order and tries again after
 * seconds.  So only a few dial at once, and the others wait here for their turn: more dial as
 * connections succeed, one after a refusal that may pass, and that one after a pause.
 *
 * Pure: time is an argument.  A line lives while somebody dials or waits in it. */
#ifndef PROXY_LINE_H
#define PROXY_LINE_H

#include "base/list.h"
#include "net/dial.h"

struct route;

struct line {
	struct list in_route, in_pausing; /* the latter while it has to be looked at again */
	struct route *route;              /* borrowed */
	uint16_t port;
	bool datagrams; /* of UDP; TCP's port of the same number has a line of its own */
	unsigned dialing, waiting, window;
	int64_t next_ms, pause_ms; /* monotonic: nobody dials before; 0: no pause */
	int64_t moved_ms;          /* the last connection that the application took; 0: none */
	int64_t refused_ms;        /* it has been refused since; 0: it was not */
	enum dial_result last;     /* what the last dial met */
};

/* The line of this port, which is made if there is none. */
struct line *line_of(struct route *r, struct list *lines, uint16_t port, enum connect_way way);
bool line_has_turn(const struct line *l, int64_t now_ms);

void line_wait(struct line *l);
void line_unwait(struct line *l); /* *l may be gone afterwards, as after the next two */
void line_dial(struct line *l);
void line_undial(struct line *l); /* given up */
/* A dial is over.  It may be answered while somebody waits, so call line_unwait or line_dial
 * before, and line_undial behind it. */
void line_met(struct line *l, enum dial_result result, int64_t now_ms);

void line_reset(struct line *l); /* another machine: nothing of the old one counts */

#endif
