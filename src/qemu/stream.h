/* stream.h - stream.sock: a connection to a port of the guest, for the proxy.
 *
 * The peer's line is read, a TCP connection to the agent's one port is made in this network
 * namespace, the line is passed on and the agent's answer read exactly to its end of line; then the
 * TCP socket goes to the peer and is forgotten here.  At most LIMIT_STREAMS are under way; what
 * takes longer than LIMIT_STREAM_MS is answered ERR. */
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

/* The port of "CONNECT <port>\n", of exactly this form; 0: it is not. */
uint16_t stream_parse_line(const char *line, size_t size);

#endif
