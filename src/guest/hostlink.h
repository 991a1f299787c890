/* hostlink.h - a guest's two ways to its host, by the devices that it finds: on doze-vmm vsock, on
 * doze-qemu a virtio-serial port for the agent and TCP on eth0 for the streams. */
#ifndef GUEST_HOSTLINK_H
#define GUEST_HOSTLINK_H

#include <sys/socket.h>

#include "base/err.h"

struct hostlink {
	int port;    /* the agent's frames (AGENT_PORT_NAME or AGENT_HOST_PORT); owned */
	int streams; /* listens on AGENT_STREAM_PORT; owned */
	bool (*is_host)(const struct sockaddr_storage *peer); /* of an accepted stream */
};

#define HOSTLINK_STREAMS 1024 /* that may wait to be accepted */

/* Once, when the link is up: load what the devices need, and open both, non-blocking. */
int hostlink_open(struct hostlink *h, struct err *e) must_check;

#endif
