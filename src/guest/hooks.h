/* hooks.h - the lifecycle hooks: POSTs to the application over the loopback, one at a time, each
 * with a time limit.  Of an answer only the status counts. */
#ifndef GUEST_HOOKS_H
#define GUEST_HOOKS_H

#include "guest/answer.h"
#include "guest/port.h"

#define HOOKS_MAX 16 /* waiting; the host sends one at a time */

struct hooks {
	struct port *port; /* borrowed */
	struct list waiting;
	size_t n_waiting;
	struct hook *now; /* owned; NULL: none */
	struct watch watch;
	struct timer timer;
	int fd;         /* owned; -1: no connection */
	struct buf out; /* the part of the request that is still to be sent */
	struct answer answer;
	size_t drained; /* bytes read and thrown away since the result */
};

void hooks_init(struct hooks *h, struct port *port);

/* Take a HOOK frame.  Its HOOK_RESULT always follows. */
void hooks_add(struct hooks *h, const struct agent_frame *f);

/* Write the whole request.  Pure. */
void hooks_request(struct buf *out, const char *name, uint16_t port, const void *body, size_t size);

#endif
