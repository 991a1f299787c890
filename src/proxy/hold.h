/* hold.h - requests that wait until a microVM can take them (design 6).  Pure: time is an argument.
 *
 * Each endpoint has a struct hold; all waiters also stand in one struct hold_clock, oldest
 * first, so that one timer serves them all.  A waiter is embedded in its request. */
#ifndef PROXY_HOLD_H
#define PROXY_HOLD_H

#include "base/list.h"

struct hold {
	struct list waiters; /* in order of arrival */
	size_t n, unread;    /* unread: body bytes that lie with us */
};

struct hold_clock {
	struct list all; /* soonest deadline first */
};

struct waiter {
	struct list in_hold, in_clock;
	struct hold *hold; /* borrowed; NULL: does not wait */
	int64_t deadline_ms;
	size_t unread;
};

void hold_init(struct hold *h);
void hold_clock_init(struct hold_clock *c);

/* Let it wait until @deadline_ms; false: @most wait here already. */
bool hold_add(struct hold *h, struct hold_clock *c, struct waiter *w, int64_t deadline_ms,
	      size_t most) must_check;
/* So many bytes of its body lie unread; false: more than @most of them at this endpoint. */
bool hold_unread(struct waiter *w, size_t unread, size_t most) must_check;
void hold_remove(struct waiter *w); /* harmless if it does not wait */

struct waiter *hold_first(const struct hold *h); /* NULL: nobody */
struct waiter *hold_late(const struct hold_clock *c,
			 int64_t now_ms);         /* whose time is up, or NULL */
int64_t hold_next_ms(const struct hold_clock *c); /* the soonest deadline; -1: none */

#endif
