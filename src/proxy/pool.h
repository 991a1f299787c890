/* pool.h - connections into a guest that wait for their next request, a few per endpoint.
 *
 * They are kept for a shorter time than common servers keep them, and for a shorter time than this
 * application does, where it says how long that is or has been seen to close one.  They end earlier
 * when the route leaves its machine (pool_drop) or the application closes them. */
#ifndef PROXY_POOL_H
#define PROXY_POOL_H

#include "net/upstream.h"
#include "proxy/route.h"

/* Takes ownership of @u, which must be reusable.  @keep_ms: for how long at most. */
void pool_put(struct route *r, uint16_t port, struct upstream *u, int64_t keep_ms);
/* Returns the one that was used last, and how long ago, or NULL.  Its owner and ops must be set at
 * once. */
struct upstream *pool_take(struct route *r, uint16_t port, int64_t *idle_ms);
bool pool_has(const struct route *r, uint16_t port);
void pool_drop(struct route *r);
void pool_drop_port(struct route *r, uint16_t port);

/* The application closed a connection that had been idle for so long. */
void pool_learn(struct route *r, uint16_t port, int64_t idle_ms);
/* What a Keep-Alive field (NULL: none) allows: "timeout=5, max=100".  Pure. */
int64_t pool_read_keep_alive(const char *value);

#endif
