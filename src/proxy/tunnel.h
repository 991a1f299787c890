/* tunnel.h - an upgraded connection, a WebSocket or any other: bytes cross both ways, and nothing
 * interprets them. */
#ifndef PROXY_TUNNEL_H
#define PROXY_TUNNEL_H

#include "net/upstream.h"
#include "proxy/proxy.h"

/* Takes ownership of both connections after the 101 was sent.  The exchange is gone then. */
void tunnel_start(struct proxy *p, struct route *route, struct http_exchange *x,
		  struct upstream *u);

#endif
