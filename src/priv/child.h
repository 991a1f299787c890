/* child.h - work that may block runs in a child process, which dies with priv. The loop is told
 * when it ends. */
#ifndef PRIV_CHILD_H
#define PRIV_CHILD_H

#include <sys/types.h>

#include "base/loop.h"

/* The struct is embedded in the one that waits. */
struct child {
	struct loop *loop;
	struct watch watch;
	pid_t pid; /* 0: none runs */
	int pidfd;
	void (*ended)(struct child *c, int status); /* as of waitpid */
};

/* Forks a child that exits with what @run(@arg) returns. */
int child_start(struct loop *l, struct child *c, int (*run)(void *arg), void *arg,
		void (*ended)(struct child *c, int status), struct err *e) must_check;
void child_kill(struct child *c); /* ended() is still called; harmless if none runs */

/* Does the same and waits for the end, so it is only for the time before the loop runs. 0 if the
 * child exited with 0. */
int child_run(int (*run)(void *arg), void *arg) must_check;

#endif
