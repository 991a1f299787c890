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
/* New clients are another worker's from now on; those inside stay, but flows of datagrams go. */
void publish_stop_accepting(struct proxy *p);
/* Another worker's flow goes on here, before this one serves its port; takes the descriptor over.
 */
void publish_take_flow(struct route *r, const struct route_flow *flow, int fd);
/* Give the socket of each to a control that has just come. */
void publish_report(struct proxy *p, void (*tell)(struct proxy *p, const struct publication *one));

#endif
