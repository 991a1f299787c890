/* child.h - a piece of work that may block, in a child process that dies with us; the loop is told
 * when it ends. */
#ifndef PRIV_CHILD_H
#define PRIV_CHILD_H

#include <sys/types.h>

#include "base/loop.h"

/* Embedded in whoever waits. */
struct child {
	struct loop *loop;
	struct watch watch;
	pid_t pid; /* 0: none runs */
	int pidfd;
	void (*ended)(struct child *c, int status); /* as of waitpid */
};

/* Run @run(@arg) in a child and exit with what it returns. */
int child_start(struct loop *l, struct child *c, int (*run)(void *arg), void *arg,
		void (*ended)(struct child *c, int status), struct err *e) must_check;
void child_kill(struct child *c); /* ended() still comes; harmless if none runs */

/* The same, but waited for: only before the loop runs. 0 if it exited with 0. */
int child_run(int (*run)(void *arg), void *arg) must_check;

#endif
