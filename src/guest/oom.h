/* oom.h - notes when the kernel kills a process of the application for want of memory.  The log
 * would show nothing of it where another process goes on, as with a server and its workers. */
#ifndef GUEST_OOM_H
#define GUEST_OOM_H

#include "guest/port.h"

struct oom {
	struct port *port; /* borrowed */
	struct watch watch;
	int fd;              /* the cgroup's memory.events */
	uint64_t kills;      /* that were noted */
	uint64_t memory_max; /* bytes that the application may use */
};

int oom_open(struct oom *o, struct port *port, uint64_t memory_max, struct err *e) must_check;

/* Note what has not been noted yet.  Returns how many processes were killed so far. */
uint64_t oom_look(struct oom *o);

/* The number behind "oom_kill" in the text of memory.events.  Pure. */
uint64_t oom_count(const char *text);

#endif
