/* workers.h - the channels to the workers of the proxy, of which there are several.
 *
 * All are told the same (channels/routes.h).  A worker that comes is told everything anew, and one
 * that dies takes nothing of the others with it. */
#ifndef CONTROL_CHANNELS_WORKERS_H
#define CONTROL_CHANNELS_WORKERS_H

#include "control/control.h"
#include "ipc/meter.h"
#include "net/chan_uv.h"

struct worker {
	struct list in_control;
	struct chan_uv chan;
	struct control *ctl;  /* borrowed */
	struct meter_now now; /* as it said last */
	bool leaves;          /* it is replaced: it serves ports of UDP no more */
	unsigned number;      /* below SUPER_WORKER_SLOTS, its own while it lives */
};

/* What is done with them. */
struct workers_ops {
	void (*on_message)(struct worker *w, struct ipc_msg *m);
	void (*on_up)(struct worker *w); /* it knows nothing yet */
	void (*on_lost)(const struct worker *w);
};

void workers_init(struct control *ctl, const struct workers_ops *ops); /* borrowed */
/* Takes over the socket.  -1: there can be no such worker, and the socket stays the caller's. */
int workers_set(struct control *ctl, unsigned number, int fd) must_check;
void workers_close(struct control *ctl);

void workers_send(struct control *ctl, uint32_t type, const void *body, size_t size); /* to all */
uint64_t workers_present(const struct control *ctl); /* a bit for each */
uint64_t worker_bit(const struct worker *w);

#endif
