#include "wire/datagram.h"

void datagram_put(struct buf *b, const void *data, size_t size)
{
	const uint8_t head[DATAGRAM_HEAD] = { (uint8_t)(size >> 8), (uint8_t)size };

	assert(size <= DATAGRAM_MAX);
	buf_add(b, head, sizeof(head));
	buf_add(b, data, size);
}

int datagram_next(const uint8_t *data, size_t size, const uint8_t **datagram, size_t *length,
		  size_t *used)
{
	size_t n;

	if (size < DATAGRAM_HEAD)
		return 0;
	n = (size_t)data[0] << 8 | data[1];
	if (n > DATAGRAM_MAX)
		return -1;
	if (size < DATAGRAM_HEAD + n)
		return 0;
	*datagram = data + DATAGRAM_HEAD;
	*length = n;
	*used = DATAGRAM_HEAD + n;
	return 1;
}
