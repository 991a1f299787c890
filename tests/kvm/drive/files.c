/* files.c - the requests that hand files over: a kernel, a snapshot, and where one goes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "drive.h"
#include "ipc/touched.h"

static void files_close(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fd_close(&fds[i]);
}

static int file_open(const char *dir, const char *name, int flags, struct err *e)
{
	autofree char *path = dir ? xasprintf("%s/%s", dir, name) : xstrdup(name);
	int fd = open(path, flags | O_CLOEXEC, 0644);

	return fd < 0 ? err_sys(e, "open '%s'", path) : fd;
}

/* An empty file, new each time, unless the command says overlay-is=there; what it holds in the end
 * is the disk of what is saved. */
static int file_overlay(struct drive *d, const struct words *w, const char *path, struct err *e)
{
	int make = words_get(w, "overlay-is") ? 0 : O_CREAT | O_TRUNC;

	free(d->overlay);
	d->overlay = xstrdup(path);
	return file_open(NULL, path, O_RDWR | make, e);
}

static bool files_whole(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i] < 0)
			return false;
	return true;
}

static int files_send(struct drive *d, const struct words *w, uint32_t type, const void *body,
		      size_t size, int *fds, unsigned n, struct err *e)
{
	int rc = files_whole(fds, n) ? drive_send(d, type, body, size, fds, n, e) : -1;

	files_close(fds, n);
	if (rc || words_get(w, "nowait"))
		return rc;
	return drive_answer(d, e);
}

int drive_boot(struct drive *d, const struct words *w, struct err *e)
{
	const struct machine_boot body = { .shape = d->shape };
	const char *names[BOOT_NUM_FDS];
	static const char *const keys[BOOT_NUM_FDS] = { "kernel", "initrd", "root", "overlay" };
	int fds[BOOT_NUM_FDS];

	for (unsigned i = 0; i < BOOT_NUM_FDS; i++)
		if (!(names[i] = words_need(w, keys[i], e)))
			return -1;
	for (unsigned i = 0; i < BOOT_FD_OVERLAY; i++)
		fds[i] = file_open(NULL, names[i], O_RDONLY, e);
	fds[BOOT_FD_OVERLAY] = file_overlay(d, w, names[BOOT_FD_OVERLAY], e);
	return files_send(d, w, MACHINE_BOOT, &body, sizeof(body), fds, BOOT_NUM_FDS, e);
}

static unsigned restore_save(const char *dir, int *fds, struct err *e)
{
	fds[RESTORE_FD_SAVE_HEADER] = file_open(dir, "header", O_RDONLY, e);
	fds[RESTORE_FD_SAVE_STATE] = file_open(dir, "state", O_RDONLY, e);
	fds[RESTORE_FD_SAVE_MEMORY] = file_open(dir, "memory", O_RDONLY, e);
	fds[RESTORE_FD_SAVE_DISK] = file_open(dir, "disk", O_RDONLY, e);
	return RESTORE_NUM_SAVE_FDS;
}

/* What control does for a version's first machine. */
static int file_read_ahead(const char *image, int memory, struct err *e)
{
	autoclose int fd = file_open(image, TOUCHED_FILE, O_RDONLY, e);
	autobuf struct buf runs = { 0 };

	if (fd < 0 || io_read_all(fd, &runs, TOUCHED_MAX))
		return -1;
	touched_read_ahead(runs.data, runs.size, memory);
	return 0;
}

int drive_restore(struct drive *d, const struct words *w, struct err *e)
{
	const char *image = words_need(w, "image", e), *root = words_need(w, "root", e);
	const char *overlay = words_need(w, "overlay", e), *save = words_get(w, "save");
	const struct machine_restore body = { .shape = d->shape,
					      .from_save = save != NULL,
					      .stopped = words_number(w, "stopped", 0) };
	unsigned n = RESTORE_NUM_FDS;
	int fds[RESTORE_NUM_SAVE_FDS];

	if (!image || !root || !overlay)
		return -1;
	fds[RESTORE_FD_HEADER] = file_open(image, "header", O_RDONLY, e);
	fds[RESTORE_FD_STATE] = file_open(image, "state", O_RDONLY, e);
	fds[RESTORE_FD_MEMORY] = file_open(image, "memory", O_RDONLY, e);
	fds[RESTORE_FD_ROOT] = file_open(NULL, root, O_RDONLY, e);
	fds[RESTORE_FD_DISK] = file_open(image, "disk", O_RDONLY, e);
	fds[RESTORE_FD_OVERLAY] = file_overlay(d, w, overlay, e);
	if (save)
		n = restore_save(save, fds, e);
	if (!files_whole(fds, n))
		return -1;
	/* The files are ready: what follows is the machine's part. */
	if (words_get(w, "mark")) {
		d->mark = usage_now(d);
		trace_mark(d);
	}
	if (words_get(w, "ahead") && file_read_ahead(image, fds[RESTORE_FD_MEMORY], e))
		return -1;
	return files_send(d, w, MACHINE_RESTORE, &body, sizeof(body), fds, n, e);
}

static int files_save(struct drive *d, const struct words *w, uint32_t type, struct err *e)
{
	const struct machine_none body = { 0 };
	const char *dir = words_need(w, "dir", e);
	autofree char *disk = dir ? xasprintf("%s/disk", dir) : NULL;
	int fds[SAVE_NUM_FDS];

	if (!dir)
		return -1;
	if (mkdir(dir, 0755) && errno != EEXIST)
		return err_sys(e, "make '%s'", dir);
	fds[SAVE_FD_HEADER] = file_open(dir, "header", O_WRONLY | O_CREAT | O_TRUNC, e);
	fds[SAVE_FD_STATE] = file_open(dir, "state", O_WRONLY | O_CREAT | O_TRUNC, e);
	fds[SAVE_FD_MEMORY] = file_open(dir, "memory", O_WRONLY | O_CREAT | O_TRUNC, e);
	if (files_send(d, w, type, &body, sizeof(body), fds, SAVE_NUM_FDS, e))
		return -1;
	if (!d->overlay || rename(d->overlay, disk))
		return err_sys(e, "keep the overlay as '%s'", disk);
	return 0;
}

int drive_touched(struct drive *d, const struct words *w, struct err *e)
{
	const struct machine_none body = { 0 };
	const char *dir = words_need(w, "dir", e);
	int fd = dir ? file_open(dir, TOUCHED_FILE, O_WRONLY | O_CREAT | O_TRUNC, e) : -1;

	return files_send(d, w, MACHINE_GET_TOUCHED, &body, sizeof(body), &fd, 1, e);
}

int drive_snapshot(struct drive *d, const struct words *w, struct err *e)
{
	return files_save(d, w, MACHINE_SNAPSHOT, e);
}

int drive_save(struct drive *d, const struct words *w, struct err *e)
{
	return files_save(d, w, MACHINE_SAVE, e);
}
