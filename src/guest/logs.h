/* logs.h - the application's output on its way to the host.
 *
 * The pipes are always emptied, so that the application never waits for the host; what is over
 * LIMIT_LOG_RATE, or comes while the host does not read, is dropped and counted. */
#ifndef GUEST_LOGS_H
#define GUEST_LOGS_H

#include "guest/port.h"

enum log_stream { LOG_STDOUT = 1, LOG_STDERR, LOG_AGENT };

/* How much may pass now: a bucket that fills by the clock.  Pure. */
struct log_rate {
	int64_t at_ms;
	size_t left;
};
size_t log_rate_take(struct log_rate *r, int64_t now_ms, size_t want);

struct log_pipe {
	struct logs *logs; /* borrowed */
	struct watch watch;
	int fd; /* owned; -1: ended */
	enum log_stream stream;
	uint64_t dropped; /* since the last frame */
};

struct logs {
	struct port *port; /* borrowed */
	struct log_rate rate;
	struct log_pipe out, err;
};

/* Takes over both read ends, which must not block. */
int logs_open(struct logs *l, struct port *port, int out, int err, struct err *e) must_check;
/* What is in the pipes now, before the EXIT frame. */
void logs_drain(struct logs *l);

/* A line of the agent itself, to the host and to the console. */
void logs_note(struct port *port, const char *fmt, ...) printf_like(2, 3);

#endif
