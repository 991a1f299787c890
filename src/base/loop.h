/* loop.h - a small epoll loop for the processes that have few descriptors and no libuv: priv,
 * doze-qemu, doze-vmm, doze-init. It runs on one thread. A watch may free itself inside its own
 * callback, after loop_unwatch. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <sys/epoll.h>

#include "base/err.h"
#include "base/list.h"

struct loop;

/* It is embedded in the struct that waits, which container_of finds again. */
struct watch {
	int fd; /* borrowed: close it after loop_unwatch */
	uint32_t events;
	void (*ready)(struct watch *w, uint32_t events);
	bool active;
};

struct timer {
	void (*fire)(struct timer *t);
	int64_t at_ms;  /* on the monotonic clock */
	struct list in; /* the loop's timers, soonest first */
	bool active;
};

struct loop *loop_new(struct err *e) must_check;
void loop_free(struct loop *l);

int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events,
	       void (*ready)(struct watch *w, uint32_t events), struct err *e) must_check;
void loop_rewatch(struct loop *l, struct watch *w, uint32_t events);
void loop_unwatch(struct loop *l, struct watch *w); /* harmless if inactive */

void loop_timer(struct loop *l, struct timer *t, int64_t delay_ms, void (*fire)(struct timer *t));
void loop_untimer(struct loop *l, struct timer *t); /* harmless if inactive */

/* Calls @sleep before each wait for events and @wake after it. If the caller of loop_run holds a
 * lock, @sleep releases it and @wake takes it, so that other threads that hold the lock may watch,
 * rewatch and unwatch. The memory of a watch must then stay valid until the loop has ended, and
 * timers belong to the loop's own thread. */
void loop_guard(struct loop *l, void (*sleep)(void *arg), void (*wake)(void *arg), void *arg);

int loop_run(struct loop *l, struct err *e) must_check; /* until loop_stop */
void loop_stop(struct loop *l);

#endif
