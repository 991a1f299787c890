/* stream.h - stream.sock: each connection becomes a stream of the vsock device to the guest's
 * agent, which reads the CONNECT line and answers on it (ipc/machine.h).  The bytes pass unread.
 *
 * If the guest refuses, or does not accept within LIMIT_STREAM_MS, ERR is answered here.  What the
 * guest has sent reaches the peer even if the guest's side is gone meanwhile, for as many streams
 * as the heap has room for (STREAMS_OVER); beyond them the peer gets what it has got. */
#ifndef VMM_STREAM_H
#define VMM_STREAM_H

#include "vmm/dev/vsock.h"

struct streams {
	struct loop *loop;   /* borrowed */
	struct vsock *vsock; /* borrowed */
	struct watch listen;
	unsigned n_over; /* streams whose guest is gone, and whose peer does not have all yet */
};

int streams_open(struct streams *s, struct loop *l, struct vsock *v, int listen_fd,
		 struct err *e) must_check;

#endif
