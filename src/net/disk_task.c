#include "net/disk_task.h"

#include <stdio.h>
#include <stdlib.h>

static void disk_lane_fill(struct disk_lane *l);

void disk_pool_size(unsigned threads)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", threads);
	if (setenv("UV_THREADPOOL_SIZE", text, 1))
		abort(); /* only for want of memory */
}

void disk_lane_init(struct disk_lane *l, uv_loop_t *loop, unsigned most)
{
	*l = (struct disk_lane){ .loop = loop, .most = most };
	list_init(&l->waiting);
}

bool disk_lane_idle(const struct disk_lane *l)
{
	return !l->running && list_empty(&l->waiting);
}

static void disk_task_run(uv_work_t *work)
{
	struct disk_task *t = container_of(work, struct disk_task, work);

	if (!t->refused)
		t->run(t);
}

static void disk_task_done(uv_work_t *work, int status)
{
	struct disk_task *t = container_of(work, struct disk_task, work);
	struct disk_lane *l = t->lane;

	(void)status; /* it tells of uv_cancel alone, which nobody calls */
	l->running--;
	t->done(t);
	disk_lane_fill(l);
}

/* Even a refused task goes through the pool, so that `done` always comes from the loop. */
static void disk_lane_fill(struct disk_lane *l)
{
	struct disk_task *t;

	while (l->running < l->most && (t = list_first(&l->waiting, struct disk_task, in))) {
		list_del(&t->in);
		l->running++;
		t->refused = t->turn && !t->turn(t);
		if (uv_queue_work(l->loop, &t->work, disk_task_run, disk_task_done))
			abort(); /* it fails only without a function to run */
	}
}

void disk_task_start(struct disk_lane *l, struct disk_task *t)
{
	t->lane = l;
	list_add(&l->waiting, &t->in);
	disk_lane_fill(l);
}

bool disk_task_cancel(struct disk_task *t)
{
	if (list_empty(&t->in))
		return false;
	list_del(&t->in);
	return true;
}
