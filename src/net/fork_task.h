/* fork_task.h - work that takes too long for the loop, in a forked child.
 *
 * Either fork_task_start fails, and then nothing of the work ran or will run,
 * or the work begins and its end is told exactly once, on the loop.
 *
 * The caller may have other threads, and the child has only a copy of what
 * they held.  So the work may call what is async-signal-safe, and malloc and
 * free, which glibc keeps usable after fork.  It may not log, take a lock, use
 * stdio streams, or touch the loop or the store.  It sees a copy of the
 * caller's memory, so that nothing it writes there comes back: its result is
 * one int.
 *
 * The child has the descriptors 0 to 2 and those that the caller names, and no
 * others: a socket that the caller closes reaches its end although the child
 * still runs.  The child dies with the thread that started it and by SIGKILL,
 * and no other signal ends it, so that a signal to the whole process group
 * does not cut the work off.  What it leaves half done after a kill must be
 * found and cleared at the next start. */
#ifndef NET_FORK_TASK_H
#define NET_FORK_TASK_H

#include <uv.h>

#include "base/err.h"

#define FORK_TASK_KEEPS 8

struct fork_task;

typedef int fork_task_fn(void *arg); /* in the child */
/* @rc is what the work returned, or -EIO if the child died before it returned. */
typedef void fork_task_done(void *arg, int rc);

/* @keep lists at most FORK_TASK_KEEPS descriptors that the work needs; -1 is passed over.  They
 * stay the caller's, who may close them at once.  NULL (and *e) if no child can be made. */
struct fork_task *fork_task_start(uv_loop_t *loop, fork_task_fn *fn, void *fn_arg, const int *keep,
				  size_t n_keep, fork_task_done *done, void *done_arg,
				  struct err *e) must_check;
/* The work is broken off where it is.  Its end is told as ever, when the child is gone: -EIO, or what
 * it returned before. */
void fork_task_kill(struct fork_task *t);
/* The work goes on, but nobody is told of its end.  NULL is harmless. */
void fork_task_forget(struct fork_task *t);

#endif
