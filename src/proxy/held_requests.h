/* held_requests.h - requests that wait until a microVM, or the port they ask for, can take them
 * (design 7).
 *
 * Pure: time is an argument.  Each endpoint has a struct held_requests; all waiters also stand in
 * one struct held_clock, oldest first, so that one timer serves them all.  A waiter is embedded in
 * its request.  It gets a turn when it comes, and one that waits again waits where that puts it. */
#ifndef PROXY_HELD_REQUESTS_H
#define PROXY_HELD_REQUESTS_H

#include "base/list.h"

struct held_requests {
	struct list waiters; /* in order of their turns */
	size_t n, unread;    /* unread: body bytes in our memory */
	uint64_t turns;      /* given so far */
};

struct held_clock {
	struct list all; /* soonest deadline first */
};

struct waiter {
	struct list in_waiters, in_clock;
	struct held_requests *held_by; /* borrowed; NULL: does not wait */
	int64_t deadline_ms;
	size_t unread; /* kept when it waits for the second time; its owner clears it */
	uint64_t turn; /* 0: none yet */
};

void held_init(struct held_requests *h);
void held_clock_init(struct held_clock *c);

/* Give a request its turn, although it does not have to wait yet.  Harmless if it has one. */
void held_take_turn(struct held_requests *h, struct waiter *w);
/* Let a request wait until @deadline_ms.  False: @most wait here already. */
bool held_add(struct held_requests *h, struct held_clock *c, struct waiter *w, int64_t deadline_ms,
	      size_t most) must_check;
/* @unread bytes of its body are in our memory.  False: the endpoint has more than @most of them. */
bool held_unread(struct waiter *w, size_t unread, size_t most) must_check;
void held_remove(struct waiter *w); /* harmless if it does not wait */

struct waiter *held_first(const struct held_requests *h); /* NULL: nobody */
struct waiter *held_late(const struct held_clock *c,
			 int64_t now_ms);         /* one whose time is up, or NULL */
int64_t held_next_ms(const struct held_clock *c); /* the soonest deadline; -1: none */

#endif
