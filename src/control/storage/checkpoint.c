#include "control/storage/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "control/machine/machine.h"
#include "control/storage/gc.h"
#include "net/fork_task.h"

#define CHECKPOINT_PATH 160

static const char *const checkpoint_files[] = { "header", "state", "memory", "disk" };

static void checkpoint_path(char to[CHECKPOINT_PATH], const struct microvm *vm, int64_t n,
			    bool draft, const char *file)
{
	snprintf(to, CHECKPOINT_PATH, "microvms/%s/%ssave-%lld%s%s%s", vm->id, draft ? "." : "",
		 (long long)n, draft ? ".new" : "", *file ? "/" : "", file);
}

static int checkpoint_mkdir(struct control *ctl, const char *path, struct err *e)
{
	int rc = io_mkdir(ctl->dir_fd, path, 0700);

	errno = -rc;
	return rc ? err_sys(e, "make the directory '%s'", path) : 0;
}

static int checkpoint_link_disk(struct microvm *vm, int64_t n, struct err *e)
{
	char from[CHECKPOINT_PATH], to[CHECKPOINT_PATH];

	snprintf(from, sizeof(from), "machines/%s/overlay", vm->machine_id);
	checkpoint_path(to, vm, n, true, "disk");
	if (linkat(vm->ctl->dir_fd, from, vm->ctl->dir_fd, to, 0))
		return err_sys(e, "keep the disk of the microVM");
	return 0;
}

int checkpoint_draft(struct microvm *vm, int64_t n, int fds[SAVE_NUM_FDS], struct err *e)
{
	char path[CHECKPOINT_PATH];

	static_assert(SAVE_NUM_FDS == 3, "checkpoint_files");
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		fds[i] = -1;
	checkpoint_drop_draft(vm, n);
	snprintf(path, sizeof(path), "microvms/%s", vm->id);
	if (checkpoint_mkdir(vm->ctl, path, e))
		return -1;
	checkpoint_path(path, vm, n, true, "");
	if (checkpoint_mkdir(vm->ctl, path, e))
		return -1;
	for (size_t i = 0; i < SAVE_NUM_FDS; i++) {
		checkpoint_path(path, vm, n, true, checkpoint_files[i]);
		fds[i] = io_open_below(vm->ctl->dir_fd, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fds[i] >= 0)
			continue;
		errno = -fds[i];
		fds[i] = -1;
		err_sys(e, "create '%s'", path);
		goto fail;
	}
	if (!checkpoint_link_disk(vm, n, e))
		return 0;
fail:
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		fd_close(&fds[i]);
	checkpoint_drop_draft(vm, n);
	return -1;
}

void checkpoint_drop_draft(struct microvm *vm, int64_t n)
{
	char path[CHECKPOINT_PATH];

	checkpoint_path(path, vm, n, true, "");
	if (!faccessat(vm->ctl->dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW))
		gc_put(vm->ctl, path);
}

struct publishing {
	int dir_fd;
	char parent[CHECKPOINT_PATH], draft[CHECKPOINT_PATH], final[CHECKPOINT_PATH];
};

static int checkpoint_sync(int dirfd, const char *path, int flags)
{
	autoclose int fd = io_open_below(dirfd, path, flags, 0);

	if (fd < 0)
		return fd;
	return fsync(fd) ? -errno : 0;
}

/* In a child.  The machine has synced the files, unless it ended before it said so. */
static int checkpoint_publishing(void *arg)
{
	const struct publishing *p = arg;
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(checkpoint_files) && !rc; i++) {
		char path[CHECKPOINT_PATH + 16];

		snprintf(path, sizeof(path), "%s/%s", p->draft, checkpoint_files[i]);
		rc = checkpoint_sync(p->dir_fd, path, O_RDONLY);
	}
	if (!rc)
		rc = checkpoint_sync(p->dir_fd, p->draft, O_RDONLY | O_DIRECTORY);
	if (!rc && renameat(p->dir_fd, p->draft, p->dir_fd, p->final))
		rc = -errno;
	if (!rc)
		rc = checkpoint_sync(p->dir_fd, p->parent, O_RDONLY | O_DIRECTORY);
	return rc ? rc : checkpoint_sync(p->dir_fd, "microvms", O_RDONLY | O_DIRECTORY);
}

struct fork_task *checkpoint_publish(struct microvm *vm, int64_t n, void (*done)(void *arg, int rc),
				     void *arg, struct err *e)
{
	struct publishing p = { .dir_fd = vm->ctl->dir_fd };

	snprintf(p.parent, sizeof(p.parent), "microvms/%s", vm->id);
	checkpoint_path(p.draft, vm, n, true, "");
	checkpoint_path(p.final, vm, n, false, "");
	return fork_task_start(&vm->ctl->loop, checkpoint_publishing, &p, &p.dir_fd, 1, done, arg,
			       e);
}

bool checkpoint_has_draft(const struct microvm *vm, int64_t n)
{
	char path[CHECKPOINT_PATH];
	struct stat st;

	checkpoint_path(path, vm, n, true, "header");
	return !fstatat(vm->ctl->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) && st.st_size > 0;
}

bool checkpoint_exists(const struct microvm *vm, int64_t n)
{
	char path[CHECKPOINT_PATH];

	checkpoint_path(path, vm, n, false, "disk");
	return n > 0 && !faccessat(vm->ctl->dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

int checkpoint_open(const struct microvm *vm, int64_t n, int fds[CHECKPOINT_NUM_FDS], struct err *e)
{
	static_assert(ARRAY_SIZE(checkpoint_files) == CHECKPOINT_NUM_FDS,
		      "a file of a save has no name");
	for (size_t i = 0; i < CHECKPOINT_NUM_FDS; i++)
		fds[i] = -1;
	for (size_t i = 0; i < CHECKPOINT_NUM_FDS; i++) {
		char path[CHECKPOINT_PATH];

		checkpoint_path(path, vm, n, false, checkpoint_files[i]);
		fds[i] = io_open_below(vm->ctl->dir_fd, path, O_RDONLY, 0);
		if (fds[i] >= 0)
			continue;
		errno = -fds[i];
		fds[i] = -1;
		err_sys(e, "open '%s' of the suspended microVM", path);
		for (size_t j = 0; j < i; j++)
			fd_close(&fds[j]);
		return -1;
	}
	return 0;
}

void checkpoint_remove(struct microvm *vm, int64_t n)
{
	char path[CHECKPOINT_PATH];

	checkpoint_path(path, vm, n, false, "");
	if (n > 0)
		gc_put(vm->ctl, path);
}

void checkpoint_remove_all(struct microvm *vm)
{
	char path[CHECKPOINT_PATH];

	snprintf(path, sizeof(path), "microvms/%s", vm->id);
	gc_put(vm->ctl, path);
}

int checkpoint_new_overlay(struct control *ctl, const char *machine, int empty_fd, struct err *e)
{
	char path[CHECKPOINT_PATH];
	autoclose int fd = -1;
	int rc;

	snprintf(path, sizeof(path), "machines/%s", machine);
	if (checkpoint_mkdir(ctl, path, e))
		return -1;
	snprintf(path, sizeof(path), "machines/%s/overlay", machine);
	unlinkat(ctl->dir_fd, path, 0);
	fd = io_open_below(ctl->dir_fd, path, O_RDWR | O_CREAT | O_EXCL, 0600);
	rc = fd < 0 ? fd : io_copy_sparse(empty_fd, fd);
	errno = -rc;
	return rc ? err_sys(e, "create '%s'", path) : fd_steal(&fd);
}

/* Each name in data/control/<folder> that `keeps` does not know goes. */
static void checkpoint_sweep_folder(struct control *ctl, const char *folder,
				    bool (*keeps)(struct control *ctl, const char *folder,
						  const char *name))
{
	int fd = io_open_below(ctl->dir_fd, folder, O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	char path[2 * CHECKPOINT_PATH];

	if (!dir) {
		fd_close(&fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (keeps(ctl, folder, entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%.*s", folder, CHECKPOINT_PATH, entry->d_name);
		gc_put(ctl, path);
	}
	closedir(dir);
}

static bool checkpoint_keeps_machine(struct control *ctl, const char *folder, const char *name)
{
	(void)folder;
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		if (vm->machine && !strcmp(vm->machine_id, name))
			return true;
	}
	return false;
}

static bool checkpoint_keeps_microvm(struct control *ctl, const char *folder, const char *name)
{
	const struct microvm *vm = model_microvm(ctl, name);

	(void)folder;
	return vm && vm->state != VM_TERMINATED;
}

/* The live one, and of one that is being made whatever may become it: adopt.c looks. */
static bool checkpoint_keeps_save(struct control *ctl, const char *folder, const char *name)
{
	const struct microvm *vm = model_microvm(ctl, strchr(folder, '/') + 1);
	char *end;
	long long n = strtoll(name + strlen("save-") + (*name == '.'), &end, 10);

	return (n == vm->checkpoint && *name != '.') ||
	       (vm->state == VM_SUSPENDING && n > vm->checkpoint);
}

static bool checkpoint_keeps_top(struct control *ctl, const char *folder, const char *name)
{
	(void)ctl;
	(void)folder;
	return strncmp(name, ".trash-", strlen(".trash-")) != 0;
}

void checkpoint_sweep(struct control *ctl)
{
	checkpoint_sweep_folder(ctl, ".", checkpoint_keeps_top);
	checkpoint_sweep_folder(ctl, "machines", checkpoint_keeps_machine);
	checkpoint_sweep_folder(ctl, "microvms", checkpoint_keeps_microvm);
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		char path[CHECKPOINT_PATH];

		snprintf(path, sizeof(path), "microvms/%s", vm->id);
		if (vm->state != VM_TERMINATED)
			checkpoint_sweep_folder(ctl, path, checkpoint_keeps_save);
	}
	gc_sweep(ctl);
}
