/* dial.h - ask a machine for a connection to a port of its guest (stream.sock of ipc/machine.h).
 *
 * With "OK\n" it hands over a socket on which the port is spoken, or none: then the connection to
 * stream.sock itself is the port from the next byte on, and that byte is still unread.
 *
 * The machine process is not believed: its answer is short, what it hands over must be a stream
 * socket, and it may take its time no longer than the caller lets it (dial_cancel). */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <uv.h>

#include "base/base.h"

enum dial_result {
	DIAL_OPEN,    /* the descriptor is the caller's */
	DIAL_REFUSED, /* no machine, nothing listens there, or it broke the protocol */
	DIAL_BUSY,    /* more callers than the machine takes at once: try again */
};

struct dial;

/* @done comes once, from the loop, never from inside this call; fd is -1 unless DIAL_OPEN. */
struct dial *dial_start(uv_loop_t *loop, const char *path, uint16_t port,
			void (*done)(void *arg, enum dial_result result, int fd), void *arg);
void dial_cancel(struct dial *d); /* before `done`: it will not come */

/* Pure, fuzzed: the answer so far.  1: OK; 0: more is needed; -1: refused or no such answer. */
int dial_answer(const char *text, size_t size) must_check;

#endif
