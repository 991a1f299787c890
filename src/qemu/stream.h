/* stream.h - stream.sock: gives the proxy a connection to a port of the guest.
 *
 * The peer's line is read, and a TCP connection to the agent's one port is made in this network
 * namespace.  The line is passed on, and the agent's answer is read exactly to its end of line.
 * Then the TCP socket is passed to the peer and closed here.  At most LIMIT_STREAMS are under way.
 * One that takes longer than LIMIT_STREAM_MS is answered with ERR. */
#ifndef QEMU_STREAM_H
#define QEMU_STREAM_H

#include "base/loop.h"

struct stream {
	struct loop *loop; /* borrowed */
	struct watch listen;
	struct list conns; /* struct stream_conn, owned */
	unsigned n_conns;
};

int stream_open(struct stream *s, struct loop *l, int listen_fd, struct err *e) must_check;
void stream_close(struct stream *s);

/* Is it exactly one line of wire/connect.h, whose port has no leading zero? */
bool stream_line_valid(const char *line, size_t size);

#endif
