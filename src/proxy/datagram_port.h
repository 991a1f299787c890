/* datagram_port.h - a published port of UDP.
 *
 * Each address that sends is a flow (flows.h), with a stream of frames into the guest, where the
 * agent gives it a socket of its own; so the application tells clients apart, and its answers go
 * back on the same flow, from the address that was asked.  The first datagrams wait while the
 * microVM wakes, a few of them, the youngest.  What cannot be passed on is dropped and counted, as
 * a network would do it. */
#ifndef PROXY_DATAGRAM_PORT_H
#define PROXY_DATAGRAM_PORT_H

#include "proxy/publication.h"

/* Takes the socket over, from which nothing is read before datagram_port_serve. */
struct datagram_port *datagram_port_new(struct publication *pub, int fd, struct err *e) must_check;
void datagram_port_serve(struct datagram_port *d); /* again, too */
/* A flow that another worker had, which serves the port no more; takes over the descriptor. */
void datagram_port_take(struct datagram_port *d, const struct route_flow *flow, int fd);
/* Read no more, and give the flows to another worker; then `left` is called, which frees it.  A
 * flow whose guest is busy has a moment, and ends with it. */
void datagram_port_leave(struct datagram_port *d, void (*left)(struct publication *pub));
void datagram_port_free(struct datagram_port *d); /* with its flows; NULL is fine */

#endif
