/* routes.h - what control tells the proxy about endpoints, and what the proxy says of them
 * (ipc/route.h). */
#ifndef CONTROL_CHANNELS_ROUTES_H
#define CONTROL_CHANNELS_ROUTES_H

#include "control/channels/workers.h"
#include "control/control.h"
#include "control/model/published.h"
#include "ipc/route.h"

/* What the proxy says of a microVM. */
struct routes_ops {
	void (*wake)(struct microvm *vm); /* a request waits for it */
	/* The answer to routes_hold: at all workers requests wait, and the last byte passed at
	 * this time. */
	void (*held)(struct microvm *vm, int64_t last_byte_ms);
	void (*active)(struct microvm *vm, int64_t last_byte_ms); /* bytes passed */
	/* Why a request was refused; @missed others were refused since the last one. */
	void (*note)(struct microvm *vm, const char *text, uint64_t missed);
	/* The proxy serves this port of the host by @fd, which is taken over.  Control may have
	 * been started again since.  False: it is not leased. */
	bool (*listens)(struct control *ctl, uint16_t port, int fd);
	void (*listened)(struct control *ctl); /* these were all */
};
void routes_open(struct control *ctl, const struct routes_ops *ops);

void routes_push(struct microvm *vm);       /* publish the route for the current state */
void routes_open_early(struct microvm *vm); /* the guest is ready before its row is durable */
/* Fails all held requests with 502, then publishes the route for the current state. */
void routes_refuse(struct microvm *vm);
void routes_gone(struct microvm *vm);
void routes_hold(struct microvm *vm); /* hold new requests; `held` answers */
void routes_release(struct microvm *vm);

void routes_publish(const struct published *p); /* its socket is bound */
void routes_unpublish(const struct published *p);

/* Pure. */
enum route_state routes_state(const struct microvm *vm);

/* For channels/workers.c. */
extern const struct workers_ops routes_workers;

#endif
