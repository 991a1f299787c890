/* console.h - the last bytes of what a guest wrote to its console, for the explanation of a guest
 * that does not come up.  The bytes are a stranger's: only printable ones and line ends are kept.
 */
#ifndef MACHINE_CONSOLE_H
#define MACHINE_CONSOLE_H

#include "base/buf.h"

#define CONSOLE_KEPT 8192

/* An all-zero struct is an empty one. */
struct console {
	uint64_t bytes; /* written in all */
	size_t kept;    /* in all; the ring holds the last of them */
	char ring[CONSOLE_KEPT];
};

void console_add(struct console *c, const char *bytes, size_t size);
void console_put(const struct console *c, struct buf *to); /* the oldest first */

#endif
