/* publish.h - leases of the host's ports: made, given back, and served by the proxy.
 *
 * A socket is bound before its row is written, so that a port that cannot be had is known at once,
 * and the proxy gets it once the row is durable. */
#ifndef CONTROL_MICROVM_PUBLISH_H
#define CONTROL_MICROVM_PUBLISH_H

#include "control/model/done.h"
#include "control/model/published.h"

/* Checks what the configuration says of ports. */
int publish_open(struct control *ctl, struct err *e) must_check;
void publish_close(struct control *ctl); /* sockets and memory; the rows stay */

struct publish_ask {
	uint16_t target;
	bool datagrams;
	const char *listen; /* NULL: as configured */
	const json_t *from; /* NULL: from everywhere */
};

/* Lease a port.  *made is known until `done` reports a failure.  -1: *e says why, and `done` is not
 * called. */
int publish_lease(struct microvm *vm, const struct publish_ask *ask, struct published **made,
		  change_done *done, void *arg, struct err *e) must_check;
int publish_return(struct published *p, change_done *done, void *arg, struct err *e) must_check;
void publish_end(struct microvm *vm); /* it is TERMINATED: all of its ports */

/* For microvm_routes_ops: the proxy gives a socket back that it serves (@fd is taken over; false:
 * no lease is for it), and it has given all. */
bool publish_got(struct control *ctl, uint16_t port, int fd);
void publish_got_all(struct control *ctl);

#endif
