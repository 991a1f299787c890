/* disk_task.h - work that waits for a disk, done on libuv's thread pool instead of the loop.
 *
 * A task goes through a lane.  A lane starts its tasks in the order in which they were given to it
 * and runs at most `most` of them at a time, so a lane of one is a queue in which each task sees
 * the effects of the one before.  The pool alone would not do: it serves one queue with four
 * threads, and four writes to a stuck disk would keep every read behind them from running.  A
 * program therefore gives each kind of work a lane of its own and makes the pool as large as its
 * lanes together (disk_pool_size): then a full lane never takes a thread from another.
 *
 * `turn` and `done` are called on the loop's thread, `run` on a thread of the pool.  While `run`
 * is under way it owns what it touches; it must not touch what the loop may change or free.
 * The task is embedded in what it works on (container_of) and must live until `done`; a lane must
 * outlive its tasks. */
#ifndef NET_DISK_TASK_H
#define NET_DISK_TASK_H

#include <uv.h>

#include "base/list.h"

struct disk_lane {
	uv_loop_t *loop; /* borrowed */
	struct list waiting;
	unsigned running, most;
};

struct disk_task {
	/* Optional: the last look before the work begins, after every earlier task of a lane of one
	 * is done.  It may be called from inside disk_task_start.  False: `run` is left out. */
	bool (*turn)(struct disk_task *t);
	void (*run)(struct disk_task *t);
	/* Comes always, and never from inside disk_task_start.  It may free the task, or start it
	 * again. */
	void (*done)(struct disk_task *t);
	bool refused; /* for `done` to read: `turn` said no */
	/* The lane's own. */
	uv_work_t work;
	struct list in;
	struct disk_lane *lane;
};

/* The number of threads of this process's pool.  Call it before the first task, and before any
 * other thread is there; count in the look-ups of names (uv_getaddrinfo), which use the pool too.
 */
void disk_pool_size(unsigned threads);

void disk_lane_init(struct disk_lane *l, uv_loop_t *loop, unsigned most);
bool disk_lane_idle(const struct disk_lane *l); /* nothing waits and nothing runs */

void disk_task_start(struct disk_lane *l, struct disk_task *t);
/* Take back a task that was started and still waits: `done` does not come.  False: its `run` has
 * begun, and `done` will come. */
bool disk_task_cancel(struct disk_task *t);

#endif
