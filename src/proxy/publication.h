/* publication.h - a port of the host that leads to a port of a microVM, and who may come by it.
 *
 * There is no token, so the ranges of addresses say who may come; limits say how many. */
#ifndef PROXY_PUBLICATION_H
#define PROXY_PUBLICATION_H

#include "net/conn.h"
#include "net/quota.h"
#include "proxy/proxy.h"

struct datagram_port;

struct publication {
	struct list in_route; /* in route->published */
	struct proxy *proxy;  /* borrowed */
	struct route *route;  /* borrowed */
	struct route_publish row;
	int fd;                          /* owned: to hand back to control */
	struct accepter *accepter;       /* owned; of bytes, while this worker serves them */
	struct datagram_port *datagrams; /* owned; likewise */
	struct list clients;             /* of bytes, before they are inside (published_client.h) */
};

/* Is it a row that control may send?  */
bool publication_row_is_sane(const struct route_publish *row);
bool publication_is_from(const struct publication *pub, const struct sockaddr_storage *from);
/* May this address come, and is there room for one more connection or flow of the microVM?  If not,
 * the microVM's log is told why. */
bool publication_admits(const struct publication *pub, const struct sockaddr_storage *from);
/* The source of such a client, to be counted there or dropped.  NULL: its address has as many as it
 * may, which is told likewise. */
struct quota_source *publication_source(const struct publication *pub,
					const struct sockaddr_storage *from);
void publication_enter(struct publication *pub); /* it counts until publication_leave */
void publication_leave(struct route *r);

#endif
