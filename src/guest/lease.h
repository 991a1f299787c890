/* lease.h - the application asks to be kept awake: it writes a number of seconds to a file, or
 * touches it, which asks for as long as the file says.
 *
 * The host decides whether that counts, and for how long at most (docs/operations.md).  Nothing is
 * told before the first start from a snapshot. */
#ifndef GUEST_LEASE_H
#define GUEST_LEASE_H

#include "guest/port.h"

#define LEASE_FILE        "/run/doze/lease" /* as the application sees it */
#define LEASE_OWN         "/lease"          /* as the agent has it */
#define LEASE_SECONDS     60                /* if the file says nothing */
#define LEASE_SECONDS_MAX 864000
#define LEASE_EVERY_MS    1000 /* between two words to the host */

struct lease {
	struct port *port;  /* borrowed */
	struct watch watch; /* of the file's events */
	struct timer pace;  /* active: the host was told just now */
	int file_fd;
	uint64_t seconds; /* as was asked last */
	bool told;        /* the host is told */
	bool due;         /* when the pace allows */
};

int lease_open(struct lease *l, struct port *port, struct err *e) must_check;
/* From now on the host is told. */
void lease_tell(struct lease *l);

/* The application asks in another way. */
void lease_for(struct lease *l, uint64_t seconds);

/* What the file asks for.  Pure. */
uint64_t lease_seconds(const char *text, size_t size);

#endif
