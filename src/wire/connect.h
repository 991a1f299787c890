/* connect.h - the line that asks for a port of a guest, or for a shell, on stream.sock and to the
 * guest's agent:
 *
 *   CONNECT <port>\n       bytes; the application hears of its client with the first byte from it
 *   CONNECT <port> now\n   bytes; the application hears of its client at once
 *   CONNECT <port> udp\n   datagrams of UDP as frames (wire/datagram.h)
 *   SHELL\n                frames of ipc/shell.h; no port leads there
 *
 * Pure. */
#ifndef WIRE_CONNECT_H
#define WIRE_CONNECT_H

#include "base/base.h"

#define CONNECT_LINE 32 /* the longest line */

enum connect_way {
	CONNECT_PLAIN,
	CONNECT_AT_ONCE,
	CONNECT_DATAGRAMS,
	CONNECT_SHELL,
	CONNECT_NUM_WAYS
};

struct connect_ask {
	uint16_t port; /* 0 with CONNECT_SHELL, and with nothing else */
	enum connect_way way;
};

/* Read the line at the start of these bytes.  Returns 1 with *ask and the line's length in *used,
 * 0 if more is needed, or -1 if it is no such line. */
int connect_read(const void *data, size_t size, struct connect_ask *ask, size_t *used) must_check;
void connect_write(char to[CONNECT_LINE], const struct connect_ask *ask);

#endif
