/* port.h - the socket that QEMU connects to the virtio-serial port of the guest's agent. */
#ifndef QEMU_PORT_H
#define QEMU_PORT_H

#include "base/loop.h"
#include "machine/agent.h"

struct port {
	struct agent agent; /* its deliver and fault are the caller's */
	struct loop *loop;  /* borrowed */
	struct watch watch;
	int fd; /* owned: our end of the port's socket; -1: closed */
};

void port_init(struct port *p, struct loop *l);
int port_open(struct port *p, int fd, struct err *e) must_check;
void port_close(struct port *p);

void port_drain(struct port *p);          /* read what the port has now */
size_t port_unsent(const struct port *p); /* bytes that the guest has not taken */

#endif
