/* waiting_client.h - a client whose connection is bytes alone, until it is inside and becomes a
 * tunnel: one of a published port, or a native client.
 *
 * It waits as a request does.  Its bytes stay in its socket meanwhile, and a half-closed client is
 * one that waits for what the application says. */
#ifndef PROXY_WAITING_CLIENT_H
#define PROXY_WAITING_CLIENT_H

#include "net/conn.h"
#include "proxy/caller.h"

struct waiting_client {
	struct caller caller;
	struct conn *conn; /* owned; a tunnel takes it over */
	bool ended;        /* it will send no more */
	/* Its connection is closed: leave whatever it is in, and free it. */
	void (*gone)(struct waiting_client *c);
};

/* Of its connection, whose owner it is. */
extern const struct conn_ops waiting_client_ops;

#endif
