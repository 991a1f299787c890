/* The last stage makes everything of a version durable, then visible by one rename. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "image/build.h"
#include "ipc/touched.h"

/* This runs in a child. */
static int build_publish(void *arg)
{
	static const char *const names[] = { "root",       "overlay", "disk",      "header",
					     "state",      "memory",  "spec.json", BUILD_APP_FILE,
					     TOUCHED_FILE, "." };
	struct build *b = arg;
	char version[16];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		autoclose int fd = io_open_below(b->files.draft_fd, names[i], O_RDONLY, 0);

		if (fd == -ENOENT && !strcmp(names[i], TOUCHED_FILE))
			continue; /* its monitor does not report them */
		if (fd < 0)
			return fd;
		if (fsync(fd))
			return -errno;
	}
	snprintf(version, sizeof(version), "%u", b->what.version.version);
	if (io_remove_tree(b->files.image_fd, version))
		return -EIO;
	if (renameat(b->files.image_fd, b->files.draft_name, b->files.image_fd, version))
		return -errno;
	if (fsync(b->files.image_fd) || fsync(b->role->images_fd))
		return -errno;
	return 0;
}

/* Only the version of a build that succeeded may be visible. Under the draft's name it is cleared
 * with the build, or by the next sweep. */
static void build_unpublish(struct build *b)
{
	char version[16];

	snprintf(version, sizeof(version), "%u", b->what.version.version);
	if (renameat(b->files.image_fd, version, b->files.image_fd, b->files.draft_name) &&
	    errno != ENOENT)
		log_warn("a failed build's version stays build=%s error=\"%s\"", b->what.name.build,
			 strerror(errno));
}

static void build_published(void *arg, int rc)
{
	struct build *b = arg;

	b->task = NULL;
	if (rc || b->clearing)
		build_unpublish(b);
	if (b->clearing)
		build_stopped(b);
	else if (rc)
		build_fail(b, rc == -ENOSPC || rc == -EDQUOT ? CODE_FULL : CODE_INTERNAL,
			   "The image version could not be stored: %s.", strerror(-rc));
	else
		build_next(b);
}

static void build_commit_now(struct vm *vm)
{
	struct build *b = container_of(vm, struct build, vm);
	autofree char *text = spec_text(&b->spec);
	autoclose int fd = -1;
	struct err e;

	fd_close(&b->clone.memory_fd);
	fd = image_create(b->role, b->files.draft_fd, "spec.json", &e);
	if (!text || fd < 0 || io_write_full(fd, text, strlen(text))) {
		build_fail(b, CODE_INTERNAL, "The build spec could not be stored.");
		return;
	}
	b->task =
		fork_task_start(b->role->loop, build_publish, b,
				(int[]){ b->files.draft_fd, b->files.image_fd, b->role->images_fd },
				3, build_published, b, &e);
	if (!b->task)
		build_fail(b, CODE_INTERNAL, "%s.", e.text);
}

/* The validating microVM, if there is one, ends first. */
void build_commit(struct build *b)
{
	vm_end(&b->vm, build_commit_now);
}
