/* tunnel.h - an upgraded connection, a WebSocket or any other, or a client's that is bytes alone:
 * they cross both ways, and nothing interprets them but the ends of a WebSocket's frames, so that
 * it can be closed cleanly. */
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

/* A client that never spoke HTTP. */
struct tunnel_client {
	struct conn *conn;
	bool ended;                    /* it will send no more */
	uint16_t published;            /* the port of the host by which it came; 0: the endpoint */
	const struct buf *start;       /* what it has said already; NULL: nothing */
	struct request_record *record; /* NULL: none */
};

/* Takes ownership of the connections and of the record. */
void tunnel_start_client(struct proxy *p, struct route *route, const struct tunnel_client *client,
			 int guest);

#endif
