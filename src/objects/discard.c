#include "objects/discard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"

struct discard {
	struct disk_task task;
	struct bucket *bucket; /* a reference; NULL: there is only a descriptor */
	char data[UUID_SIZE];
	int fd;
};

static void discard_run(struct disk_task *t)
{
	struct discard *d = container_of(t, struct discard, task);

	if (d->bucket && unlinkat(d->bucket->data, d->data, 0) && errno != ENOENT)
		log_warn("a data file cannot be deleted data=%s errno=%d", d->data, errno);
	fd_close(&d->fd);
}

static void discard_done(struct disk_task *t)
{
	struct discard *d = container_of(t, struct discard, task);

	bucket_unref(d->bucket);
	free(d);
}

static struct discard *discard_new(void)
{
	struct discard *d = xcalloc(1, sizeof(*d));

	d->task.run = discard_run;
	d->task.done = discard_done;
	d->fd = -1;
	return d;
}

void discard_data(struct store *s, struct bucket *b, const char *data)
{
	struct discard *d = discard_new();

	d->bucket = bucket_ref(b);
	memcpy(d->data, data, UUID_SIZE);
	disk_task_start(&s->lanes[STORE_BULK], &d->task);
}

void discard_fd(struct store *s, enum store_lane lane, int *fd)
{
	struct discard *d;

	if (*fd < 0)
		return;
	d = discard_new();
	d->fd = *fd;
	*fd = -1;
	disk_task_start(&s->lanes[lane], &d->task);
}
