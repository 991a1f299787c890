/* threads.h - what the kernel says of the threads of a process: whether they run, and whether they
 * would if they were let. */
#ifndef QEMU_THREADS_H
#define QEMU_THREADS_H

#include <sys/types.h>

#include "base/buf.h"

struct threads {
	uint64_t cpu_ns;    /* that they had */
	uint64_t waited_ns; /* that they waited for a CPU */
	unsigned n_blocked; /* that wait for a disk */
};

/* Adds them up.  If @text is not NULL, it gets a line for each. */
void threads_read(pid_t pid, struct threads *sum, struct buf *text);

#endif
