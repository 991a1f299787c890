/* port.h - the agent's end of the control stream: frames in, frames out, never blocking.
 *
 * The descriptor is watched edge-triggered: a virtio-serial port without a peer reports a hang-up
 * for as long as it lasts, and a level-triggered wait for it would never sleep. */
#ifndef GUEST_PORT_H
#define GUEST_PORT_H

#include "base/loop.h"
#include "wire/agent.h"

#define PORT_BACKLOG                                                                 \
	(256 * KIB) /* more than this waiting: the host does not read, logs are lost \
		     */

struct port {
	struct loop *loop; /* borrowed */
	struct watch watch;
	int fd; /* owned */
	struct buf in, out;
	void (*frame)(struct port *p, const struct agent_frame *f); /* borrowed for the call */
	bool broken; /* what came was no frame: nothing is read any more */
};

int port_open(struct port *p, struct loop *l, int fd,
	      void (*frame)(struct port *p, const struct agent_frame *f), struct err *e) must_check;

/* Encode into p->out between agent_begin and agent_end, then send. */
void port_send(struct port *p);
void port_send_id(struct port *p, uint8_t type, uint64_t id); /* a frame of FIELD_ID alone */
bool port_is_full(const struct port *p);

#endif
