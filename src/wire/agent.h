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

/* Look for a frame at the begin of these bytes.  1: *f is it and *used its length; 0: more bytes
 * are needed; -1: the stream is broken (a frame over @most, or nonzero reserved bytes). */
int agent_frame_next(const uint8_t *data, size_t size, size_t most, struct agent_frame *f,
		     size_t *used) must_check;

/* Walk the fields: *at begins at 0.  1: *v is the next; 0: no more; -1: broken. */
int agent_field_next(const struct agent_frame *f, size_t *at,
		     struct agent_field_view *v) must_check;

/* The first field with this tag as a number; false if absent or not 8 bytes. */
bool agent_get_u64(const struct agent_frame *f, uint16_t tag, uint64_t *value) must_check;
/* The first field with this tag as text without NUL, copied and terminated; false if it does not
 * fit. */
bool agent_get_text(const struct agent_frame *f, uint16_t tag, char *to, size_t room) must_check;

/* Encode: begin, fields, end.  A frame over LIMIT_AGENT_TO_GUEST aborts: callers bound their input.
 */
size_t agent_begin(struct buf *b, uint8_t type); /* a mark for agent_end */
void agent_put(struct buf *b, uint16_t tag, const void *data, size_t size);
void agent_put_text(struct buf *b, uint16_t tag, const char *text);
void agent_put_u64(struct buf *b, uint16_t tag, uint64_t value);
void agent_end(struct buf *b, size_t mark);

#endif
