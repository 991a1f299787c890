/* peer.h - machine.sock.  There is at most one owner at a time, and a new one replaces the old. */
#ifndef MACHINE_PEER_H
#define MACHINE_PEER_H

#include "base/loop.h"
#include "ipc/machine.h"

struct peer;

struct peer_ops {
	void (*joined)(struct peer *p);
	void (*message)(struct peer *p, struct ipc_msg *m); /* may take descriptors */
	void (*room)(struct peer *p);                       /* the queue was sent */
	void (*left)(struct peer *p);
};

struct peer {
	struct loop *loop;          /* borrowed */
	const struct peer_ops *ops; /* borrowed */
	struct watch listen, watch;
	struct chan chan; /* sock -1: no owner */
	struct ipc_msg msg;
};

/* @p is zero. */
int peer_open(struct peer *p, struct loop *l, int listen_fd, const struct peer_ops *ops,
	      struct err *e) must_check;
void peer_close(struct peer *p);

/* Does nothing if there is no owner. */
void peer_send(struct peer *p, uint32_t type, uint64_t tag, const void *body, size_t size);
void peer_send_fault(struct peer *p, uint64_t tag, const struct err *why);
bool peer_has_room(const struct peer *p); /* there is an owner, and its queue is empty */

#endif
