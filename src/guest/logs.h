/* logs.h - carries the application's output to the host.
 *
 * The pipes are always emptied, so that the application never waits for the host.  Output over
 * LIMIT_LOG_RATE, or written while the host does not read, is dropped and counted. */
#ifndef GUEST_LOGS_H
#define GUEST_LOGS_H

#include "guest/port.h"

enum log_stream { LOG_STDOUT = 1, LOG_STDERR, LOG_AGENT };

/* A token bucket: how much may pass now.  Pure. */
struct log_rate {
	int64_t at_ms;
	size_t left;
};
size_t log_rate_take(struct log_rate *r, int64_t now_ms, size_t want);

/* The last bytes of all output, of which the end may have to be told in a line.  Pure. */
#define LOG_TAIL 4096
struct log_tail {
	char text[LOG_TAIL];
	size_t n;
};
void log_tail_add(struct log_tail *t, const void *data, size_t size);
/* The last lines as one, with " | " between them, and without what a terminal would obey.  A room
 * of 3 * LOG_TAIL + 1 is always enough. */
void log_tail_text(const struct log_tail *t, char *text, size_t room);

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
	struct log_tail tail;
	struct log_pipe out, err;
	uint64_t taken; /* bytes of output, passed on or dropped */
};

/* Take over both read ends, which must be non-blocking. */
int logs_open(struct logs *l, struct port *port, int out, int err, struct err *e) must_check;
/* Send what is in the pipes now, before the EXIT frame. */
void logs_drain(struct logs *l);

/* Log a line of the agent itself, to the host and to the console. */
void logs_note(struct port *port, const char *fmt, ...) printf_like(2, 3);

#endif
