/* ring.h - the last bytes of an endless stream, each with its number.  Pure. */
#ifndef GUEST_RING_H
#define GUEST_RING_H

#include "base/base.h"

struct ring {
	uint8_t *bytes; /* owned; NULL until the first byte */
	size_t room;
	uint64_t end; /* the number of the next byte */
};

void ring_free(struct ring *r);
void ring_add(struct ring *r, const uint8_t *data, size_t size);
/* The number of the oldest byte that is kept. */
uint64_t ring_begin(const struct ring *r);
/* Some bytes from @at on, which must be kept: as many as lie together, at most @most. */
const uint8_t *ring_at(const struct ring *r, uint64_t at, size_t most, size_t *n);

#endif
