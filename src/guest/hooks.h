/* hooks.h - the lifecycle hooks: a POST to the application on the loopback, one after the other,
 * each with its time.  What the application answers is believed as far as its status. */
#ifndef GUEST_HOOKS_H
#define GUEST_HOOKS_H

#include "guest/answer.h"
#include "guest/port.h"

#define HOOKS_MOST 16 /* waiting; the host sends one at a time */

struct hooks {
	struct port *port; /* borrowed */
	struct list waiting;
	size_t n_waiting;
	struct hook *now; /* owned; NULL: none */
	struct watch watch;
	struct timer timer;
	int fd;         /* owned; -1: no connection */
	struct buf out; /* of the request, still to be sent */
	struct answer answer;
	size_t drained; /* bytes read and thrown away since the result */
};

void hooks_init(struct hooks *h, struct port *port);

/* A HOOK frame; its HOOK_RESULT follows, whatever happens. */
void hooks_add(struct hooks *h, const struct agent_frame *f);

/* The whole request.  Pure. */
void hooks_request(struct buf *out, const char *name, uint16_t port, const void *body, size_t size);

#endif
