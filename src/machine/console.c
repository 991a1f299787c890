#include "machine/console.h"

void console_add(struct console *c, const char *bytes, size_t size)
{
	c->bytes += size;
	for (size_t i = 0; i < size; i++)
		if (bytes[i] == '\n' || (bytes[i] >= ' ' && bytes[i] <= '~'))
			c->ring[c->kept++ % CONSOLE_KEPT] = bytes[i];
}

void console_put(const struct console *c, struct buf *to)
{
	size_t at = c->kept % CONSOLE_KEPT;

	if (c->kept > CONSOLE_KEPT)
		buf_add(to, c->ring + at, CONSOLE_KEPT - at);
	buf_add(to, c->ring, c->kept > CONSOLE_KEPT ? at : c->kept);
}
