#include "control/pool/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "control/storage/lanes.h"
#include "ipc/touched.h"

/* What a worker of LANE_COPY gets and returns. */
struct template_load {
	struct disk_task task;
	struct template *t; /* NULL: cancelled */
	struct control *ctl;
	char *memory_path, *touched_path;
	bool sealed;
	int fd, touched_fd; /* the result; -1: none */
	int rc;
};

/* What a worker of LANE_READ_AHEAD gets: two descriptors of a version. */
struct read_ahead {
	struct disk_task task;
	int touched, memory;
	int rc;
};

struct template *template_of(struct control *ctl, struct image_version *v)
{
	struct template *t = v->template;

	if (t)
		return t;
	t = xcalloc(1, sizeof(*t));
	t->ctl = ctl;
	t->version = v;
	t->memfd = -1;
	list_init(&t->waits);
	list_init(&t->clones);
	list_add(&ctl->templates, &t->in);
	v->template = t;
	return t;
}

char *template_path(const struct template *t, const char *file)
{
	const struct image_version *v = t->version;

	return xasprintf("images/%s/%lld/%s", v->image->id, (long long)v->number, file);
}

static const struct engine *template_engine(const struct template *t)
{
	return &engines[t->version->engine];
}

static void template_notify(struct template *t, int rc, const struct err *e)
{
	while (!list_empty(&t->waits)) {
		struct template_wait *w = list_first(&t->waits, struct template_wait, in);

		list_del(&w->in);
		w->ready(w, rc, e);
	}
}

/* Reading ahead.  If a version has not run for a while, the host's page cache may hold nothing of
 * its memory file.  The machine does not wait for this. */

static void read_ahead_run(struct disk_task *task)
{
	struct read_ahead *r = container_of(task, struct read_ahead, task);
	struct stat st;
	void *runs;

	r->rc = -EINVAL;
	if (fstat(r->touched, &st) || st.st_size <= 0 || st.st_size > (off_t)TOUCHED_MAX)
		return;
	runs = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, r->touched, 0);
	r->rc = runs == MAP_FAILED ? -errno : 0;
	if (r->rc)
		return;
	touched_read_ahead(runs, (size_t)st.st_size, r->memory);
	munmap(runs, (size_t)st.st_size);
}

static void read_ahead_done(struct disk_task *task)
{
	struct read_ahead *r = container_of(task, struct read_ahead, task);

	if (r->rc)
		log_warn("the pages that a start touches cannot be read ahead error=\"%s\"",
			 strerror(-r->rc));
	fd_close(&r->touched);
	fd_close(&r->memory);
	free(r);
}

static void read_ahead_start(const struct template *t, int touched_fd)
{
	struct read_ahead *r = xcalloc(1, sizeof(*r));

	r->task.run = read_ahead_run;
	r->task.done = read_ahead_done;
	r->touched = touched_fd;
	r->memory = fcntl(t->memfd, F_DUPFD_CLOEXEC, 3);
	disk_task_start(lane(t->ctl, LANE_READ_AHEAD), &r->task);
}

/* Loading. */

static int load_copy(int file_fd, int *memfd)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	autoclose int fd = memfd_create("doze-template", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc;

	if (fd < 0)
		return -errno;
	rc = io_copy_sparse(file_fd, fd);
	if (!rc && fcntl(fd, F_ADD_SEALS, seals))
		rc = -errno;
	if (!rc)
		*memfd = fd_steal(&fd);
	return rc;
}

static void load_run(struct disk_task *task)
{
	struct template_load *l = container_of(task, struct template_load, task);
	autoclose int fd = io_open_below(l->ctl->data_fd, l->memory_path, O_RDONLY, 0);

	l->rc = fd < 0 ? fd : 0;
	if (l->rc)
		return;
	if (l->sealed) {
		l->rc = load_copy(fd, &l->fd);
		return;
	}
	l->fd = fd_steal(&fd);
	l->touched_fd = io_open_below(l->ctl->data_fd, l->touched_path, O_RDONLY, 0);
	if (l->touched_fd < 0)
		l->touched_fd = -1; /* an older version has no such list */
}

static void load_settle(struct template *t, struct template_load *l)
{
	struct err e;

	t->loading = NULL;
	errno = -l->rc;
	if (l->rc) {
		err_sys(&e, "load the memory of image version %s:%lld", t->version->image->name,
			(long long)t->version->number);
		template_notify(t, -1, &e);
		return;
	}
	t->memfd = fd_steal(&l->fd);
	if (l->touched_fd >= 0)
		read_ahead_start(t, fd_steal(&l->touched_fd));
	template_notify(t, 0, NULL);
}

static void load_done(struct disk_task *task)
{
	struct template_load *l = container_of(task, struct template_load, task);

	if (l->t)
		load_settle(l->t, l);
	fd_close(&l->fd);
	fd_close(&l->touched_fd);
	free(l->memory_path);
	free(l->touched_path);
	free(l);
}

static void template_start_load(struct template *t)
{
	struct template_load *l = xcalloc(1, sizeof(*l));

	l->task.run = load_run;
	l->task.done = load_done;
	l->t = t;
	l->ctl = t->ctl;
	l->memory_path = template_path(t, "memory");
	l->touched_path = template_path(t, TOUCHED_FILE);
	l->sealed = template_engine(t)->sealed_memory;
	l->fd = l->touched_fd = -1;
	t->loading = l;
	disk_task_start(lane(t->ctl, LANE_COPY), &l->task);
}

void template_load(struct template *t, struct template_wait *w,
		   void (*ready)(struct template_wait *w, int rc, const struct err *e))
{
	w->ready = ready;
	if (t->memfd >= 0) {
		ready(w, 0, NULL);
		return;
	}
	list_add(&t->waits, &w->in);
	if (!t->loading)
		template_start_load(t);
}

void template_cancel(struct template *t)
{
	if (t->loading)
		t->loading->t = NULL;
	t->loading = NULL;
	list_each(w, &t->waits, struct template_wait, in) list_del(&w->in);
}

void template_leave(struct template_wait *w)
{
	if (w->in.next)
		list_del(&w->in);
}

void template_unload(struct template *t)
{
	fd_close(&t->memfd);
}

/* What it costs. */

uint64_t template_bytes(const struct template *t)
{
	struct stat st;

	if (t->memfd < 0 || !template_engine(t)->sealed_memory || fstat(t->memfd, &st))
		return 0;
	return (uint64_t)st.st_blocks * 512;
}

uint64_t template_clone_bytes(const struct template *t)
{
	return t->clone_bytes ? t->clone_bytes : template_engine(t)->memory_bytes;
}

uint64_t template_cost(struct template *t)
{
	uint64_t bytes = template_clone_bytes(t);
	autofree char *path = NULL;
	struct stat st;

	if (t->memfd >= 0 || !template_engine(t)->sealed_memory)
		return bytes;
	if (!t->file_bytes) {
		path = template_path(t, "memory");
		if (!fstatat(t->ctl->data_fd, path, &st, AT_SYMLINK_NOFOLLOW))
			t->file_bytes = (uint64_t)st.st_blocks * 512;
	}
	return bytes + t->file_bytes;
}
