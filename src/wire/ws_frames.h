/* ws_frames.h - where the frames of a WebSocket end (RFC 6455 5.2), for who passes them on and has
 * a last word to say.  Pure; payloads are not looked at. */
#ifndef WIRE_WS_FRAMES_H
#define WIRE_WS_FRAMES_H

#include "base/base.h"

/* All zero: before the first frame. */
struct ws_frames {
	uint8_t head[10];    /* of the frame that is being read */
	unsigned head_size;  /* how much of it came */
	uint64_t left;       /* bytes of its mask and payload that are still to come */
	bool closed, broken; /* a Close passed; what came is no WebSocket */
};

void ws_frames_pass(struct ws_frames *f, const uint8_t *data, size_t size);
/* May a frame of ours follow now?  */
bool ws_frames_between(const struct ws_frames *f);

#endif
