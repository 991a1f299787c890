/* tail.h - the last words of something that writes lines: QEMU's stderr, the console of a booting
 * kernel.  Whole lines go to the log (debug); what was said last is kept for the sentence that
 * explains an end.  The bytes are a stranger's: made printable, bounded, never interpreted. */
#ifndef QEMU_TAIL_H
#define QEMU_TAIL_H

#include "base/loop.h"

struct tail {
	struct loop *loop; /* borrowed */
	struct watch watch;
	const char *name; /* borrowed; stands in the log */
	int fd;           /* owned; -1: closed */
	size_t used;
	char line[1024]; /* the one being written */
	char last[1024]; /* the last that was not empty; one that tells of a failure stays */
};

int tail_open(struct tail *t, struct loop *l, const char *name, int fd, struct err *e) must_check;
void tail_read(struct tail *t); /* what is there now; for when its writer has just died */
void tail_close(struct tail *t);

#endif
