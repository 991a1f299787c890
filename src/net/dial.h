/* dial.h - ask a machine for a connection to a port of its guest (stream.sock of ipc/machine.h).
 *
 * With "OK\n" the machine may hand over a socket that leads to the port.  If it hands over none,
 * the connection to stream.sock itself leads to the port from the next byte on, which is still
 * unread.
 *
 * The machine process is not trusted: its answer must be short, what it hands over must be a
 * stream socket, and the caller decides how long it may take (dial_cancel). */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <uv.h>

#include "wire/connect.h"

enum dial_result {
	DIAL_OPEN,     /* the descriptor is the caller's */
	DIAL_REFUSED,  /* there is no machine, nothing listens on the port, or the machine broke
			  the protocol */
	DIAL_STARTING, /* nothing has listened on the port since the microVM's start */
	DIAL_BUSY,     /* the machine, or the application, has too many callers at the moment: try
			  again */
	DIAL_UNKNOWN,  /* the machine, or its agent, is too old for this way of connecting */
	DIAL_NUM_RESULTS
};

struct dial;

/* @done is called once, from the loop and never from inside this call. fd is -1 unless DIAL_OPEN.
 */
struct dial *dial_start(uv_loop_t *loop, const char *path, const struct connect_ask *ask,
			void (*done)(void *arg, enum dial_result result, int fd), void *arg);
void dial_cancel(struct dial *d); /* call it before `done`, which is then never called */

/* What the answer so far means; pure, fuzzed.  1: OK; 0: more is needed; -1: refused, or no such
 * answer exists. */
int dial_answer(const char *text, size_t size) must_check;
/* Why a refusal was given; pure, fuzzed. */
enum dial_result dial_refusal(const char *text, size_t size) must_check;

#endif
