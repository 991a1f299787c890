/* hostlink.h - a guest's two ways to its host, chosen by the devices that it finds.  On doze-vmm
 * both use vsock; on doze-qemu the agent uses a virtio-serial port, and streams use TCP on eth0. */
#ifndef GUEST_HOSTLINK_H
#define GUEST_HOSTLINK_H

#include <sys/socket.h>

#include "base/err.h"

struct hostlink {
	int port;    /* the agent's frames (AGENT_PORT_NAME or AGENT_HOST_PORT); owned */
	int streams; /* listens on AGENT_STREAM_PORT; owned */
	bool (*is_host)(const struct sockaddr_storage *peer); /* of an accepted stream */
};

#define HOSTLINK_STREAMS 1024 /* may wait to be accepted */

/* Call it once, when the network link is up.  Loads what the devices need and opens both ways,
 * non-blocking. */
int hostlink_open(struct hostlink *h, struct err *e) must_check;

#endif
