/* publish.h - ports of the host that lead to a port of a microVM, as bytes or as datagrams.
 *
 * control binds the sockets and sends them (ipc/route.h), so the proxy needs no right to do so.
 * Whoever comes by such a port waits, wakes a microVM and is cut as a request is (caller.h). */
#ifndef PROXY_PUBLISH_H
#define PROXY_PUBLISH_H

#include "proxy/publication.h"

/* Takes the socket over. */
void publish_set(struct proxy *p, struct route *r, const struct route_publish *row, int fd);
void publish_drop(struct route *r, uint16_t port); /* harmless if it is none */
void publish_drop_all(struct route *r);
void publish_stop_accepting(struct proxy *p); /* of new clients; those inside stay */
/* Give the socket of each to a control that has just come. */
void publish_report(struct proxy *p, void (*tell)(struct proxy *p, const struct publication *one));

#endif
