#include "guest/ring.h"

#include <stdlib.h>
#include <string.h>

void ring_free(struct ring *r)
{
	free(r->bytes);
	*r = (struct ring){ .room = r->room };
}

void ring_add(struct ring *r, const uint8_t *data, size_t size)
{
	if (!r->bytes)
		r->bytes = xmalloc(r->room);
	while (size) {
		size_t at = (size_t)(r->end % r->room), n = r->room - at;

		n = n < size ? n : size;
		memcpy(r->bytes + at, data, n);
		r->end += n;
		data += n;
		size -= n;
	}
}

uint64_t ring_begin(const struct ring *r)
{
	return r->end > r->room ? r->end - r->room : 0;
}

const uint8_t *ring_at(const struct ring *r, uint64_t at, size_t most, size_t *n)
{
	size_t offset = (size_t)(at % r->room);

	assert(at >= ring_begin(r) && at <= r->end);
	*n = (size_t)(r->end - at);
	if (*n > r->room - offset)
		*n = r->room - offset;
	if (*n > most)
		*n = most;
	return r->bytes + offset;
}
