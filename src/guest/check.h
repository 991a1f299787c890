/* check.h - runs a command beside the application, in its container, as `docker exec` does: the
 * image's HEALTHCHECK, while the image is made. */
#ifndef GUEST_CHECK_H
#define GUEST_CHECK_H

#include "guest/port.h"

#define CHECK_OUTPUT 4096 /* bytes that are kept, as Docker does */

struct check {
	struct port *port; /* borrowed */
	uint64_t id;
	int pid; /* 0: none runs */
	int out; /* owned: the end of a pipe that its output comes from; -1: none */
	bool late;
	struct timer timer;
	struct watch watch;
	struct buf output;
};

void check_init(struct check *c, struct port *port);

/* Serve CHECK.  Its CHECK_RESULT always follows.  @application is the process whose container it
 * is, or 0. */
void check_add(struct check *c, const struct agent_frame *f, int application);
/* Tell it that a child ended. */
void check_reaped(struct check *c, int pid, int status);

#endif
