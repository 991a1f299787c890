/* ending.h - says in a few words how the application ended, and what a beginner may not know of it.
 * Pure. */
#ifndef GUEST_ENDING_H
#define GUEST_ENDING_H

#include "base/base.h"

#define ENDING_TEXT 1024 /* room for ending_text */

struct ending {
	int status;          /* as waitpid gives it */
	int64_t ran_ms;      /* how long it ran */
	uint64_t oom_kills;  /* processes that the kernel killed for want of memory */
	uint64_t memory_max; /* bytes that the application may use */
	const char *failure; /* why it could not be started, or "" */
	const char *hint;    /* what looked wrong before the start, or "" */
	const char *output;  /* its last lines, with " | " between them, or "" */
};

/* The exit code as a shell sees it: 128 and the number of a signal that killed it. */
int ending_code(const struct ending *e);

void ending_text(const struct ending *e, char *text, size_t room);

#endif
