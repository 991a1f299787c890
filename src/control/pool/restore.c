#include "control/pool/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "control/storage/checkpoint_dir.h"
#include "control/storage/gc.h"
#include "control/storage/lanes.h"

/* What a worker of LANE_FILES gets and returns.  The machine may end meanwhile, so it is looked up
 * again by its id, which no other machine ever has. */
struct restore {
	struct disk_task task;
	struct control *ctl;
	char machine[MACHINE_ID_SIZE], microvm[MICROVM_ID_SIZE];
	int64_t checkpoint;
	struct machine_shape shape;
	char *image_dir;
	int fds[RESTORE_NUM_SAVE_FDS]; /* that of the memory is open from the start */
	int rc;
	struct err e;
	machine_done *done;
};

static const char *const image_files[RESTORE_NUM_FDS] = {
	[RESTORE_FD_HEADER] = "header",   [RESTORE_FD_STATE] = "state", [RESTORE_FD_ROOT] = "root",
	[RESTORE_FD_OVERLAY] = "overlay", [RESTORE_FD_DISK] = "disk",
};

static int restore_open_file(const struct restore *r, const char *name, struct err *e)
{
	autofree char *path = xasprintf("%s%s", r->image_dir, name);
	int fd = io_open_below(r->ctl->data_fd, path, O_RDONLY, 0);

	errno = -fd;
	return fd < 0 ? err_sys(e, "open '%s'", path) : fd;
}

static int restore_new_overlay(const struct restore *r, struct err *e)
{
	autoclose int empty = restore_open_file(r, image_files[RESTORE_FD_OVERLAY], e);

	return empty < 0 ? -1 : checkpoint_new_overlay(r->ctl->dir_fd, r->machine, empty, e);
}

static int restore_open_all(struct restore *r, struct err *e)
{
	if (r->fds[RESTORE_FD_MEMORY] < 0)
		return err_set(e, ERR_CAPACITY, "no descriptor is free for the machine's memory");
	for (int i = 0; i < RESTORE_NUM_FDS; i++) {
		if (i == RESTORE_FD_MEMORY)
			continue;
		r->fds[i] = i == RESTORE_FD_OVERLAY ? restore_new_overlay(r, e)
						    : restore_open_file(r, image_files[i], e);
		if (r->fds[i] < 0)
			return -1;
	}
	return r->checkpoint ? checkpoint_open(r->ctl->dir_fd, r->microvm, r->checkpoint,
					       r->fds + RESTORE_NUM_FDS, e)
			     : 0;
}

static void restore_run(struct disk_task *task)
{
	struct restore *r = container_of(task, struct restore, task);

	r->rc = restore_open_all(r, &r->e);
}

/* The machine ended meanwhile, and its directory may have been removed before the overlay was made
 * in it. */
static void restore_drop_overlay(const struct restore *r)
{
	char path[IPC_ID_SIZE + 16];

	snprintf(path, sizeof(path), "machines/%s", r->machine);
	gc_put(r->ctl, path);
}

static void restore_opened(struct disk_task *task)
{
	struct restore *r = container_of(task, struct restore, task);
	const struct machine_restore ask = { .shape = r->shape, .from_save = r->checkpoint != 0 };
	struct machine *m = machine_find(r->ctl, r->machine);

	if (m && !m->ending && r->rc)
		r->done(m, -1, NULL, &r->e);
	else if (m && !m->ending)
		machine_ask(m, MACHINE_RESTORE, &ask, r->fds,
			    r->checkpoint ? RESTORE_NUM_SAVE_FDS : RESTORE_NUM_FDS, r->done);
	else
		restore_drop_overlay(r);
	for (size_t i = 0; i < ARRAY_SIZE(r->fds); i++)
		fd_close(&r->fds[i]);
	free(r->image_dir);
	free(r);
}

void restore_machine(struct template *t, struct machine *m, const struct microvm *vm,
		     int64_t checkpoint, machine_done *done)
{
	struct restore *r = xcalloc(1, sizeof(*r));

	r->task.run = restore_run;
	r->task.done = restore_opened;
	r->ctl = t->ctl;
	r->shape = t->version->shape;
	r->checkpoint = checkpoint;
	r->done = done;
	r->image_dir = template_path(t, "");
	memcpy(r->machine, m->id, sizeof(r->machine));
	if (vm)
		memcpy(r->microvm, vm->id, sizeof(r->microvm));
	for (size_t i = 0; i < ARRAY_SIZE(r->fds); i++)
		r->fds[i] = -1;
	r->fds[RESTORE_FD_MEMORY] = fcntl(t->memfd, F_DUPFD_CLOEXEC, 3);
	disk_task_start(lane(t->ctl, LANE_FILES), &r->task);
}
