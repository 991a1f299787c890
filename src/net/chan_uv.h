/* chan_uv.h - a message channel (ipc/chan.h) on a libuv loop. */
#ifndef NET_CHAN_UV_H
#define NET_CHAN_UV_H

#include <uv.h>

#include "ipc/chan.h"

struct chan_uv {
	struct chan chan;
	uv_poll_t poll;
	bool open;
	struct ipc_msg *msg; /* the one being handled */
	/* A message came.  Descriptors that are not taken with ipc_msg_take_fd are closed
	 * afterwards. */
	void (*on_message)(struct chan_uv *c, struct ipc_msg *m);
	/* The other side is gone or broke the protocol, and the channel is closed already.  Its
	 * memory is still in use: set c->freed here, and free the memory there. */
	void (*lost)(struct chan_uv *c);
	void (*freed)(struct chan_uv *c);
};

/* Takes ownership of the socket. */
int chan_uv_open(struct chan_uv *c, uv_loop_t *loop, int sock, const struct ipc_row *rows,
		 size_t n_rows, void (*on_message)(struct chan_uv *c, struct ipc_msg *m),
		 void (*lost)(struct chan_uv *c), struct err *e) must_check;
/* Send now or queue.  A failure is reported by `lost` from the loop, so callers need not check. */
void chan_uv_send(struct chan_uv *c, uint32_t type, uint64_t tag, const void *body, size_t size,
		  const int *fds, unsigned n_fds);
/* Close without calling `lost`.  The memory may be reused once `freed` is called; it may be NULL.
 */
void chan_uv_close(struct chan_uv *c, void (*freed)(struct chan_uv *c));

#endif
