/* forward.h - the guest's side of a relay, for the files that implement it: forward_dial.c finds a
 * connection, forward.c sends the request and passes the answer on, and probe.c speaks TLS.
 *
 * A request goes out in plain HTTP first (ADR 0014).  If what comes back is no answer, or a 400
 * with a body, which is what common servers say to plain HTTP on a TLS port, a handshake is tried
 * on another connection.  Where it succeeds the request is sent over that, since a TLS server
 * cannot have read it. */
#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H

#include "proxy/relay.h"

extern const struct upstream_ops forward_ops;

/* forward.c */
/* May a request with this head be sent again, if a connection that was kept dies under it?  */
bool forward_repeatable(const struct http_head *head);
/* Send the request over a connection that leads to its port; takes it over. */
void forward_over(struct relay *r, struct conn *c, bool tls, bool http2);
void forward_start(struct relay *r); /* r->up may take it */
void forward_go_on(struct relay *r); /* with the answer whose head is held */
/* From the gate on, but not for ever; @why is what the client hears then. */
void forward_repeat(struct relay *r, const char *why);

/* probe.c */
struct app_port *probe_port(const struct relay *r);
/* Does somebody shake hands there?  A connection that others may share may come of it. */
bool probe_opens(const struct proxy *p, const struct route *route, uint16_t port);
/* May what came back mean that the port speaks TLS?  */
bool probe_is_due(const struct relay *r);
/* @why is what the client hears if it does not. */
void probe_begin(struct relay *r, const char *why);
void probe_shake(struct relay *r, int fd); /* over a connection to a port that speaks TLS */
void probe_is_sure(struct relay *r);       /* a proper answer came */

#endif
