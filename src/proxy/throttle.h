/* throttle.h - the bandwidth of a microVM (service.md 6.5): what is above it waits, and is not
 * refused.
 *
 * Whoever passes bytes charges them afterwards.  Once they are more than the rate and its burst
 * allow, it takes no more until `go` is called, and flow control stops its peers. */
#ifndef PROXY_THROTTLE_H
#define PROXY_THROTTLE_H

#include "proxy/proxy.h"

struct throttle {
	struct list in; /* in proxy->throttled while it waits */
	int64_t until_us;
	void (*go)(struct throttle *t); /* bytes may pass again */
};

void throttle_init(struct throttle *t, void (*go)(struct throttle *t));
void throttle_pass(struct throttle *t, struct proxy *p, struct route *r, size_t bytes);
void throttle_leave(struct throttle *t); /* it waits no more; harmless if it did not */

static inline bool throttle_waits(const struct throttle *t)
{
	return !list_empty(&t->in);
}

#endif
