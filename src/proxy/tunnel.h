/* tunnel.h - an upgraded connection, a WebSocket or any other, or one of a published port: bytes
 * cross both ways, and nothing interprets them but the ends of a WebSocket's frames, so that it can
 * be closed cleanly. */
#ifndef PROXY_TUNNEL_H
#define PROXY_TUNNEL_H

#include "net/upstream.h"
#include "proxy/recording.h"

/* Takes ownership of both connections, and of the record, after the 101 was sent.  The exchange is
 * gone then. */
void tunnel_start(struct proxy *p, struct route *route, struct http_exchange *x, struct upstream *u,
		  struct request_record *record);
/* Likewise, with a connection into the guest that nobody has used. */
void tunnel_start_raw(struct proxy *p, struct route *route, struct http_exchange *x, int guest,
		      struct request_record *record);
/* A client that came by a published port of the host; @ended: it will send no more. */
void tunnel_start_published(struct proxy *p, struct route *route, uint16_t port,
			    struct conn *client, bool ended, int guest);

#endif
