/* stream.h - stream.sock: each connection is a stream of the vsock device to the guest's agent,
 * which reads its CONNECT line and answers on it (ipc/machine.h): bytes pass unread.
 *
 * A guest that does not accept within LIMIT_STREAM_MS, or refuses, is answered for with ERR. */
#ifndef VMM_STREAM_H
#define VMM_STREAM_H

#include "vmm/dev/vsock.h"

struct streams {
	struct loop *loop;   /* borrowed */
	struct vsock *vsock; /* borrowed */
	struct watch listen;
};

int streams_open(struct streams *s, struct loop *l, struct vsock *v, int listen_fd,
		 struct err *e) must_check;

#endif
