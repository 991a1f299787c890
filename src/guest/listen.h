/* listen.h - tells the host which ports the application listens on, while an image is made. */
#ifndef GUEST_LISTEN_H
#define GUEST_LISTEN_H

#include "guest/diag.h"
#include "guest/port.h"

#define LISTEN_EVERY_MS 100
#define LISTEN_MAX      1024 /* ports in one frame, the lowest first */

struct listen {
	struct port *port; /* borrowed */
	struct timer timer;
	int diag_fd; /* borrowed */
	struct diag_ports known;
};

void listen_start(struct listen *l, struct port *port, int diag_fd);
void listen_stop(struct listen *l); /* harmless if not started */

#endif
