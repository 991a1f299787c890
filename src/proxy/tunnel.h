/* tunnel.h - an upgraded connection (WebSocket or any other): bytes both ways, nothing read. */
#ifndef PROXY_TUNNEL_H
#define PROXY_TUNNEL_H

#include "net/upstream.h"
#include "proxy/proxy.h"

/* Takes both connections over, after the 101 was sent; the exchange is gone then. */
void tunnel_start(struct proxy *p, struct route *route, struct http_exchange *x,
		  struct upstream *u);

#endif
