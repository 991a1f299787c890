/* port.h - the agent's end of the control stream.  It reads and writes frames and never blocks.
 *
 * The descriptor is watched edge-triggered.  A virtio-serial port without a peer reports a hang-up
 * all the time, so a level-triggered wait would never sleep. */
#ifndef GUEST_PORT_H
#define GUEST_PORT_H

#include "base/loop.h"
#include "wire/agent.h"

#define PORT_BACKLOG                                                                     \
	(256 * KIB) /* if more than this waits, the host does not read and logs are lost \
		     */

struct port {
	struct loop *loop; /* borrowed */
	struct watch watch;
	int fd; /* owned */
	struct buf in, out;
	void (*frame)(struct port *p, const struct agent_frame *f); /* borrowed for the call */
	bool broken; /* something other than a frame came, so nothing is read any more */
};

int port_open(struct port *p, struct loop *l, int fd,
	      void (*frame)(struct port *p, const struct agent_frame *f), struct err *e) must_check;

/* Encode a frame into p->out between agent_begin and agent_end, then call port_send. */
void port_send(struct port *p);
void port_send_id(struct port *p, uint8_t type, uint64_t id); /* a frame of FIELD_ID alone */
bool port_is_full(const struct port *p);

#endif
