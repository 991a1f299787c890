/* agent_read.h - what a guest says (ipc/agent.h), parsed and not trusted.  Pure: no I/O, no clock.
 *
 * A frame of an unknown type or form is ignored.  A stream that does not consist of frames is
 * broken for good.  Output above LIMIT_LOG_RATE is dropped and counted. */
#ifndef CONTROL_MACHINE_AGENT_READ_H
#define CONTROL_MACHINE_AGENT_READ_H

#include "base/buf.h"
#include "ipc/agent.h"

struct agent_ops {
	void (*ack)(void *arg, uint64_t id);
	void (*hook_result)(void *arg, uint64_t id, enum agent_outcome outcome, unsigned status);
	/* @dropped bytes were lost before these. */
	void (*log)(void *arg, const uint8_t *data, size_t size, uint64_t dropped);
	void (*exited)(void *arg, unsigned code);
	void (*lease)(void *arg, uint64_t lease_ms);
};

/* All zero is a fresh one. */
struct agent_stream {
	struct buf in;
	bool broken;
	int64_t rate_ms; /* the running second of the log rate */
	uint64_t rate_bytes, dropped;
};

/* -1: the stream is broken, now or before. */
int agent_feed(struct agent_stream *a, const uint8_t *data, size_t size, int64_t now_ms,
	       const struct agent_ops *ops, void *arg) must_check;
void agent_stream_free(struct agent_stream *a);

#endif
