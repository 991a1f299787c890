/* sessions.h - HTTP/2 connections into a guest, which the requests to one port of it share.
 *
 * They stand in their route and are used for no other.  One leaves the list as soon as it takes no
 * request: it then ends by itself behind its last one. */
#ifndef PROXY_SESSIONS_H
#define PROXY_SESSIONS_H

#include "net/upstream_session.h"
#include "proxy/proxy.h"

/* Makes a session of a connection that leads to @port, and takes it over. */
struct session *sessions_add(struct proxy *p, struct route *r, uint16_t port, struct conn *c,
			     bool tls);
/* Is there one of which nobody knows yet how many requests it takes?  */
bool sessions_opening(const struct route *r, uint16_t port);
struct session *sessions_find(const struct route *r, uint16_t port); /* with room, or NULL */
void sessions_drop(struct route *r); /* nobody begins anything on them any more */
void sessions_drop_port(struct route *r, uint16_t port);

#endif
