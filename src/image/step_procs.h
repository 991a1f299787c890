/* step_procs.h - the processes of a build step: what it can see in the /proc of its namespace,
 * without itself and process 1. */
#ifndef IMAGE_STEP_PROCS_H
#define IMAGE_STEP_PROCS_H

#include <sys/types.h>

#include "base/buf.h"

struct step_process {
	pid_t pid;
	int64_t age_ms;
	uint64_t cpu_ms;      /* its own */
	uint64_t children_ms; /* of those that have ended */
	uint64_t written;     /* bytes */
	bool watches;         /* the builder's own, which only watches a command */
	char command[120];
};

struct step_processes {
	struct step_process *v; /* owned */
	size_t n;
	uint64_t cpu_ms, written; /* sums over those that do not watch */
};

void step_processes_read(struct step_processes *p, int proc_fd); /* a directory as /proc is one */
void step_processes_free(struct step_processes *p);
/* One line of each: pid, seconds, seconds of CPU, command. */
void step_processes_print(const struct step_processes *p, struct buf *to);
/* "sleep 999 (pid 7, 601 s)", several with commas, as many as fit into @room. */
void step_processes_name(const struct step_processes *p, char *to, size_t room);

/* Reads /proc/<pid>/stat. False: this is none. */
bool step_process_parse(struct step_process *p, const char *stat, int64_t boot_ms, long ticks);

#endif
