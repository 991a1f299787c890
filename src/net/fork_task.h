/* fork_task.h - work that takes too long for the loop, in a forked child.
 *
 * If fork_task_start fails, nothing of the work has run or will run. Otherwise the work begins, and
 * `done` is called exactly once, on the loop, when it has ended.
 *
 * The caller may have other threads, whose locks stay locked in the child. So the work may only
 * call async-signal-safe functions, and malloc and free, which glibc keeps usable after fork. It
 * must not log, take a lock, use stdio streams, or touch the loop or the store. It runs on a copy
 * of the caller's memory, so that one int is all that it can return.
 *
 * The child has the descriptors 0 to 2 and those that the caller names, but no others. So the peer
 * of a socket sees its end when the caller closes it, even while the child runs. The child dies
 * with the thread that started it, or by SIGKILL; all other signals are blocked, so that a signal
 * to the whole process group does not interrupt the work. What a killed child leaves half done must
 * be found and cleared at the next start. */
#ifndef NET_FORK_TASK_H
#define NET_FORK_TASK_H

#include <uv.h>

#include "base/err.h"

#define FORK_TASK_KEEPS 8

struct fork_task;

typedef int fork_task_fn(void *arg); /* in the child */
/* @rc is what the work returned, or -EIO if the child died before it returned. */
typedef void fork_task_done(void *arg, int rc);

/* @keep lists at most FORK_TASK_KEEPS descriptors that the work needs; -1 is skipped. They stay the
 * caller's, which may close them at once. Returns NULL, with *e, if no child can be made. */
struct fork_task *fork_task_start(uv_loop_t *loop, fork_task_fn *fn, void *fn_arg, const int *keep,
				  size_t n_keep, fork_task_done *done, void *done_arg,
				  struct err *e) must_check;
/* Kills the child. `done` is still called when it is gone, with -EIO or with what the work had
 * returned by then. */
void fork_task_kill(struct fork_task *t);
/* Lets the work go on without telling anybody of its end. NULL is harmless. */
void fork_task_forget(struct fork_task *t);

#endif
