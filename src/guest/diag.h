/* diag.h - the kernel's own list of TCP sockets (sock_diag): which ports listen, and the end of
 * connections that a restore has cut off.  One walk covers IPv4 and IPv6. */
#ifndef GUEST_DIAG_H
#define GUEST_DIAG_H

#include "base/err.h"

#define DIAG_PLACES 8

/* One bit for every port, and the first of the listeners that have another address. */
struct diag_ports {
	uint64_t bits[65536 / 64];
	struct diag_place {
		uint32_t family; /* AF_INET, AF_INET6 */
		uint32_t port;
		uint32_t address[4]; /* in network order */
	} places[DIAG_PLACES];
	size_t n_places;
};

int diag_open(struct err *e) must_check; /* an owned socket; for the calls below */

/* Collect the ports that something listens on and that 127.0.0.1 or ::1 reaches, and the places of
 * other listeners.  Returns 0, or -1 if the kernel's answers are out of step. */
int diag_listening(int fd, struct diag_ports *ports) must_check;

/* Who listens on one port, and how many more connections their backlogs hold. */
struct diag_port {
	uint16_t port;
	bool listens;
	uint32_t room;
};

/* Fills in all but the port.  Returns as above. */
int diag_room(int fd, struct diag_port *port) must_check;

/* Abort every connection that leaves the guest, except those that the agent accepted.  With
 * @rehearse only count them.  Returns how many there are. */
size_t diag_abort_outbound(int fd, bool rehearse);

#endif
