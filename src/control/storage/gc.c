#include "control/storage/gc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "net/fork_task.h"

static int gc_empty(void *arg)
{
	struct control *ctl = arg;
	char name[32];
	int rc;

	/* Moved aside first: what comes meanwhile goes into a new one and is the next sweep's. */
	snprintf(name, sizeof(name), ".trash-%d", (int)getpid());
	if (renameat(ctl->dir_fd, "trash", ctl->dir_fd, name))
		return errno == ENOENT ? 0 : -errno;
	rc = io_remove_tree(ctl->dir_fd, name);
	return rc;
}

static void gc_emptied(void *arg, int rc)
{
	struct control *ctl = arg;

	ctl->sweeper = NULL;
	if (rc)
		log_warn("the trash was not emptied error=\"%s\"", strerror(-rc));
	else if (!faccessat(ctl->dir_fd, "trash", F_OK, 0))
		gc_sweep(ctl);
}

void gc_sweep(struct control *ctl)
{
	struct err e;

	if (ctl->sweeper || ctl->stopping)
		return;
	ctl->sweeper =
		fork_task_start(&ctl->loop, gc_empty, ctl, &ctl->dir_fd, 1, gc_emptied, ctl, &e);
	if (!ctl->sweeper)
		log_warn("the trash is not emptied error=\"%s\"", e.text);
}

void gc_put(struct control *ctl, const char *path)
{
	char to[2 * UUID_SIZE], uuid[UUID_SIZE];

	rand_uuid(uuid);
	snprintf(to, sizeof(to), "trash/%s", uuid);
	for (int again = 0; again < 2; again++) {
		if (io_mkdir(ctl->dir_fd, "trash", 0700) ||
		    (renameat(ctl->dir_fd, path, ctl->dir_fd, to) && errno == ENOENT &&
		     !faccessat(ctl->dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW)))
			continue; /* the sweeper moved it away in between */
		break;
	}
	/* A full disk has no room for another name: the caller waits instead. */
	if (io_remove_tree(ctl->dir_fd, path))
		log_warn("what is not needed stays path=%s", path);
	gc_sweep(ctl);
}
