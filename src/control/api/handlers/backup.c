/* backup.c - the rows for `doze backup`, which adds the files that they name. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "control/api/call.h"
#include "control/api/handlers/handlers.h"
#include "control/storage/leftovers.h"

struct backup {
	struct call *call;
	int fd;
	char name[sizeof(BACKUP_ROWS) + UUID_SIZE];
};

static void backup_written(void *arg, int rc, const struct err *e)
{
	struct backup *b = arg;
	struct call *c = b->call;
	autofree char *path = xasprintf("control/%s", b->name);

	fd_close(&b->fd);
	if (rc) {
		unlinkat(c->ctl->dir_fd, b->name, 0);
		call_fail(c, e);
	} else {
		call_answer(c, json_pack("{s:s}", "rows", path));
	}
	free(b);
}

void doze_backup(struct call *c)
{
	struct backup *b = xcalloc(1, sizeof(*b));
	char uuid[UUID_SIZE];
	struct err e;

	b->call = c;
	rand_uuid(uuid);
	snprintf(b->name, sizeof(b->name), BACKUP_ROWS "%s", uuid);
	b->fd = io_open_below(c->ctl->dir_fd, b->name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (b->fd < 0) {
		errno = -b->fd;
		err_sys(&e, "make a file for the rows");
		free(b);
		call_fail(c, &e);
		return;
	}
	store_dump(c->ctl->store, b->fd, backup_written, b);
}
