/* pool.h - connections into a guest that wait for their next request, a few per endpoint.
 *
 * They are kept for a shorter time than common servers keep them.  They end earlier when the route
 * leaves its machine (pool_drop) or the application closes them. */
#ifndef PROXY_POOL_H
#define PROXY_POOL_H

#include "net/upstream.h"
#include "proxy/route.h"

/* Takes ownership of @u, which must be reusable. */
void pool_put(struct route *r, uint16_t port, struct upstream *u);
/* Returns the one that was used last, or NULL.  Its owner and ops must be set at once. */
struct upstream *pool_take(struct route *r, uint16_t port);
bool pool_has(const struct route *r, uint16_t port);
void pool_drop(struct route *r);

#endif
