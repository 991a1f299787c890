#include "control/storage/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/storage/checkpoint_dir.h"
#include "control/storage/gc.h"
#include "control/storage/lanes.h"

struct checkpoint_job {
	struct disk_task task;
	struct control *ctl;
	struct microvm *vm; /* NULL: forgotten */
	char id[MICROVM_ID_SIZE], machine[MACHINE_ID_SIZE];
	int64_t above, n;
	int fds[SAVE_NUM_FDS];
	int rc;
	struct err e;
	checkpoint_drafted *drafted;
	checkpoint_published *published;
};

static struct checkpoint_job *job_new(struct microvm *vm, int64_t above)
{
	struct checkpoint_job *j = xcalloc(1, sizeof(*j));

	j->ctl = vm->ctl;
	j->vm = vm;
	j->above = above;
	memcpy(j->id, vm->id, sizeof(j->id));
	memcpy(j->machine, vm->machine_id, sizeof(j->machine));
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		j->fds[i] = -1;
	return j;
}

static void job_free(struct checkpoint_job *j)
{
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		fd_close(&j->fds[i]);
	free(j);
}

void checkpoint_forget(struct checkpoint_job *job)
{
	if (job)
		job->vm = NULL;
}

static void draft_run(struct disk_task *task)
{
	struct checkpoint_job *j = container_of(task, struct checkpoint_job, task);

	j->rc = checkpoint_dir_draft(j->ctl->dir_fd, j->id, j->machine, j->above, &j->n, j->fds,
				     &j->e);
}

static void draft_done(struct disk_task *task)
{
	struct checkpoint_job *j = container_of(task, struct checkpoint_job, task);
	char path[CHECKPOINT_PATH];

	if (j->vm) {
		j->drafted(j->vm, j->rc, j->n, j->fds, &j->e);
	} else if (!j->rc) {
		/* The microVM ended meanwhile, and its directory may have been removed before the
		 * draft was made in it. */
		checkpoint_dir_path(path, j->id, j->n, true, "");
		gc_put(j->ctl, path);
	}
	job_free(j);
}

struct checkpoint_job *checkpoint_draft(struct microvm *vm, int64_t above, checkpoint_drafted *done)
{
	struct checkpoint_job *j = job_new(vm, above);

	j->task.run = draft_run;
	j->task.done = draft_done;
	j->drafted = done;
	disk_task_start(lane(vm->ctl, LANE_FILES), &j->task);
	return j;
}

static void publish_run(struct disk_task *task)
{
	struct checkpoint_job *j = container_of(task, struct checkpoint_job, task);

	j->rc = checkpoint_dir_publish(j->ctl->dir_fd, j->id, j->above, &j->n, &j->e);
}

static void publish_done(struct disk_task *task)
{
	struct checkpoint_job *j = container_of(task, struct checkpoint_job, task);

	if (j->vm)
		j->published(j->vm, j->rc, j->n, &j->e);
	job_free(j);
}

struct checkpoint_job *checkpoint_publish(struct microvm *vm, int64_t above,
					  checkpoint_published *done)
{
	struct checkpoint_job *j = job_new(vm, above);

	j->task.run = publish_run;
	j->task.done = publish_done;
	j->published = done;
	disk_task_start(lane(vm->ctl, LANE_PUBLISH), &j->task);
	return j;
}

static bool found(const struct microvm *vm, bool want_draft)
{
	bool draft;
	int64_t n;
	int rc = checkpoint_dir_find(vm->ctl->dir_fd, vm->id, vm->checkpoint, &n, &draft);

	if (rc)
		log_err("the checkpoints of a microVM cannot be read id=%s error=\"%s\"", vm->id,
			strerror(-rc));
	return rc ? want_draft : n && draft == want_draft;
}

bool checkpoint_has_draft(const struct microvm *vm)
{
	return found(vm, true);
}

bool checkpoint_is_published(const struct microvm *vm)
{
	return found(vm, false);
}

void checkpoint_drop_draft(struct microvm *vm, int64_t n)
{
	char path[CHECKPOINT_PATH];

	checkpoint_dir_path(path, vm->id, n, true, "");
	gc_put(vm->ctl, path);
}

static void remove_run(struct disk_task *task)
{
	struct checkpoint_job *j = container_of(task, struct checkpoint_job, task);
	struct checkpoint_list list;
	char path[CHECKPOINT_PATH];

	j->rc = checkpoint_dir_list(j->ctl->dir_fd, j->id, &list);
	for (size_t i = 0; i < list.count; i++) {
		if (list.each[i].n >= j->n)
			continue;
		checkpoint_dir_path(path, j->id, list.each[i].n, list.each[i].draft, "");
		if (gc_remove(j->ctl->dir_fd, path))
			j->rc = -1;
	}
	checkpoint_list_free(&list);
}

static void remove_done(struct disk_task *task)
{
	struct checkpoint_job *j = container_of(task, struct checkpoint_job, task);

	if (j->rc)
		log_warn("older checkpoints of a microVM stay on disk id=%s", j->id);
	job_free(j);
}

void checkpoint_remove_below(struct microvm *vm, int64_t n)
{
	struct checkpoint_job *j = job_new(vm, 0);

	j->n = n;
	j->task.run = remove_run;
	j->task.done = remove_done;
	disk_task_start(lane(vm->ctl, LANE_GC), &j->task);
}

void checkpoint_remove_all(struct microvm *vm)
{
	char path[CHECKPOINT_PATH];

	snprintf(path, sizeof(path), "microvms/%s", vm->id);
	gc_put(vm->ctl, path);
}
