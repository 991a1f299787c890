/* agent.h - parser and encoder of agent frames (ipc/agent.h).  Pure; used on both sides, fuzzed. */
#ifndef WIRE_AGENT_H
#define WIRE_AGENT_H

#include "base/buf.h"
#include "ipc/agent.h"

struct agent_field_view {
	uint16_t tag;
	const uint8_t *data; /* borrowed from the frame */
	uint32_t size;
};

/* A complete frame, borrowed from the buffer it was found in. */
struct agent_frame {
	uint8_t type;
	const uint8_t *payload;
	uint32_t size;
};

/* Look for a frame at the start of these bytes.  Returns 1 with the frame in *f and its length in
 * *used, 0 if more bytes are needed, or -1 if the stream is broken: the frame is longer than @most,
 * or its reserved bytes are not zero. */
int agent_frame_next(const uint8_t *data, size_t size, size_t most, struct agent_frame *f,
		     size_t *used) must_check;

/* Walk the fields; *at starts at 0.  Returns 1 with the next field in *v, 0 after the last one, or
 * -1 if the frame is broken. */
int agent_field_next(const struct agent_frame *f, size_t *at,
		     struct agent_field_view *v) must_check;

/* Read the first field with this tag as a number.  False if it is absent or not 8 bytes long. */
bool agent_get_u64(const struct agent_frame *f, uint16_t tag, uint64_t *value) must_check;
/* Copy the first field with this tag as text and terminate it.  False if it is absent, holds a NUL,
 * or does not fit. */
bool agent_get_text(const struct agent_frame *f, uint16_t tag, char *to, size_t room) must_check;

/* Encode a frame: begin, fields, end.  Callers bound their input; a frame over
 * LIMIT_AGENT_TO_GUEST aborts the process. */
size_t agent_begin(struct buf *b, uint8_t type); /* returns a mark for agent_end */
void agent_put(struct buf *b, uint16_t tag, const void *data, size_t size);
void agent_put_text(struct buf *b, uint16_t tag, const char *text);
void agent_put_u64(struct buf *b, uint16_t tag, uint64_t value);
void agent_end(struct buf *b, size_t mark);

#endif
