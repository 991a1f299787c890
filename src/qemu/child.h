/* child.h - the child processes of doze-qemu: QEMU itself, and work that would block the loop.
 *
 * All of them die with their parent.  All descriptors are close-on-exec; those in `keep` reach QEMU
 * with the same numbers. */
#ifndef QEMU_CHILD_H
#define QEMU_CHILD_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/loop.h"

struct child {
	struct loop *loop; /* borrowed */
	struct watch watch;
	pid_t pid;  /* 0: none */
	int pidfd;  /* owned */
	int status; /* as of waitpid, once it ended */
	void (*ended)(struct child *c);
};

struct child_how {
	char *const *argv; /* the program first; its environment is ours */
	const int *keep;   /* -1: none */
	size_t n_keep;
	int err_fd; /* becomes its stderr */
};

int child_exec(struct child *c, struct loop *l, const struct child_how *how,
	       void (*ended)(struct child *c), struct err *e) must_check;
/* Kill it and wait for its end, without calling `ended`. */
void child_kill(struct child *c);

/* Run one piece of work in a process of its own.  @done gets what @run appended to @out, or its
 * error, in the parent.  A struct runs one piece at a time. */
struct work {
	struct loop *loop; /* borrowed */
	struct watch watch;
	pid_t pid; /* 0: none under way */
	int fd;    /* owned: the result's pipe */
	struct buf result;
	void (*done)(struct work *w, const uint8_t *out, size_t size, const struct err *why);
};

typedef int work_run(const void *arg, struct buf *out, struct err *e);

int work_start(struct work *w, struct loop *l, work_run *run, const void *arg,
	       void (*done)(struct work *w, const uint8_t *out, size_t size, const struct err *why),
	       struct err *e) must_check;
void work_kill(struct work *w);

#endif
