/* tail.h - keeps the last line of QEMU's stderr or of a booting kernel's console.  Whole lines are
 * logged (debug), and the last one is kept for the message that explains an end.  The bytes are a
 * stranger's, so they are made printable and bounded, and never interpreted. */
#ifndef QEMU_TAIL_H
#define QEMU_TAIL_H

#include "base/loop.h"
#include "machine/console.h"

struct tail {
	struct loop *loop; /* borrowed */
	struct watch watch;
	const char *name;    /* borrowed; stands in the log */
	int fd;              /* owned; -1: closed */
	struct console *all; /* gets every byte too; borrowed; may be NULL */
	size_t used;
	char line[1024]; /* the one being written */
	char last[1024]; /* the last that was not empty; a line that names a failure stays */
};

int tail_open(struct tail *t, struct loop *l, const char *name, int fd, struct err *e) must_check;
void tail_read(struct tail *t); /* read what is there now, after the writer has died */
void tail_close(struct tail *t);

#endif
