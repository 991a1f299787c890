/* pool.h - connections into a guest that wait for their next request, a few per endpoint.
 *
 * They are kept shorter than common servers keep them, go when the route leaves its
 * machine (pool_drop), and when the application closes them. */
#ifndef PROXY_POOL_H
#define PROXY_POOL_H

#include "net/upstream.h"
#include "proxy/route.h"

/* Takes @u over; it must be reusable. */
void pool_put(struct route *r, uint16_t port, struct upstream *u);
/* The one that was used last; its owner and ops are to be set at once.  NULL: none. */
struct upstream *pool_take(struct route *r, uint16_t port);
bool pool_has(const struct route *r, uint16_t port);
void pool_drop(struct route *r);

#endif
