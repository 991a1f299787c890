/* diag.h - the kernel's own list of TCP sockets (sock_diag): which ports listen, and the end of
 * connections that a restore has cut off.  One walk covers IPv4 and IPv6. */
#ifndef GUEST_DIAG_H
#define GUEST_DIAG_H

#include "base/err.h"

/* One bit for every port. */
struct diag_ports {
	uint64_t bits[65536 / 64];
};

int diag_open(struct err *e) must_check; /* an owned socket; for both calls below */

/* The ports that something listens on, reachable by 127.0.0.1 or ::1.  0 or -1 (out of step). */
int diag_listening(int fd, struct diag_ports *ports) must_check;

/* Abort every connection that leaves the guest: neither end on the loopback, and none that the
 * agent accepted.  With @rehearse only look.  How many. */
size_t diag_abort_outbound(int fd, bool rehearse);

#endif
