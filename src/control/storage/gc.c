#include "control/storage/gc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "control/storage/lanes.h"

#define GC_TRASH "trash"

struct gc {
	struct list tasks; /* of struct gc_task */
};

struct gc_task {
	struct list in;
	struct disk_task task;
	int dir_fd; /* borrowed */
	char *path;
	int rc;
};

/* A full disk may have no room for another name.  Then the tree is deleted where it is. */
int gc_remove(int dir_fd, const char *path)
{
	char to[sizeof(GC_TRASH) + UUID_SIZE], uuid[UUID_SIZE];

	rand_uuid(uuid);
	snprintf(to, sizeof(to), GC_TRASH "/%s", uuid);
	if (!io_mkdir(dir_fd, GC_TRASH, 0700) && !renameat(dir_fd, path, dir_fd, to))
		return io_remove_tree(dir_fd, to);
	return io_remove_tree(dir_fd, path);
}

static void gc_run(struct disk_task *task)
{
	struct gc_task *t = container_of(task, struct gc_task, task);

	t->rc = gc_remove(t->dir_fd, t->path);
}

/* The trash of an earlier process is deleted in its place. */
static void gc_run_sweep(struct disk_task *task)
{
	struct gc_task *t = container_of(task, struct gc_task, task);

	t->rc = io_remove_tree(t->dir_fd, GC_TRASH);
}

static void gc_free(struct gc_task *t)
{
	list_del(&t->in);
	free(t->path);
	free(t);
}

static void gc_done(struct disk_task *task)
{
	struct gc_task *t = container_of(task, struct gc_task, task);

	if (t->rc)
		log_warn("files that nobody needs stay on disk path=%s error=\"%s\"", t->path,
			 strerror(-t->rc));
	gc_free(t);
}

static void gc_start(struct control *ctl, const char *path, void (*run)(struct disk_task *task))
{
	struct gc_task *t = xcalloc(1, sizeof(*t));

	t->task.run = run;
	t->task.done = gc_done;
	t->dir_fd = ctl->dir_fd;
	t->path = xstrdup(path);
	list_add(&ctl->gc->tasks, &t->in);
	disk_task_start(lane(ctl, LANE_GC), &t->task);
}

void gc_open(struct control *ctl)
{
	ctl->gc = xcalloc(1, sizeof(*ctl->gc));
	list_init(&ctl->gc->tasks);
}

void gc_put(struct control *ctl, const char *path)
{
	gc_start(ctl, path, gc_run);
}

void gc_sweep(struct control *ctl)
{
	gc_start(ctl, GC_TRASH, gc_run_sweep);
}

void gc_close(struct control *ctl)
{
	list_each(t, &ctl->gc->tasks, struct gc_task, in)
	{
		if (disk_task_cancel(&t->task))
			gc_free(t);
	}
}
