#include "control/pool/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "control/admission/admission.h"
#include "control/storage/checkpoint.h"
#include "ipc/touched.h"
#include "net/fork_task.h"

static const char *const image_files[RESTORE_NUM_FDS] = {
	[RESTORE_FD_HEADER] = "header",
	[RESTORE_FD_STATE] = "state",
	[RESTORE_FD_ROOT] = "root",
	[RESTORE_FD_DISK] = "disk",
};

struct template *template_of(struct control *ctl, struct image_version *v)
{
	struct template *t = v->template;

	if (t)
		return t;
	t = xcalloc(1, sizeof(*t));
	t->ctl = ctl;
	t->version = v;
	t->memfd = t->draft_fd = t->file_fd = -1;
	list_init(&t->waits);
	list_init(&t->clones);
	list_add(&ctl->templates, &t->in);
	v->template = t;
	return t;
}

static int template_open_file(const struct template *t, const char *name, struct err *e)
{
	const struct image_version *v = t->version;
	autofree char *path =
		xasprintf("images/%s/%lld/%s", v->image->id, (long long)v->number, name);
	int fd = io_open_below(t->ctl->data_fd, path, O_RDONLY, 0);

	errno = -fd;
	return fd < 0 ? err_sys(e, "open '%s'", path) : fd;
}

static const struct engine *template_engine(const struct template *t)
{
	return &engines[t->version->engine];
}

static int template_copy(void *arg)
{
	const struct template *t = arg;

	return io_copy_sparse(t->file_fd, t->draft_fd);
}

static void template_tell(struct template *t, int rc, const struct err *e)
{
	while (!list_empty(&t->waits)) {
		struct template_wait *w = list_first(&t->waits, struct template_wait, in);

		list_del(&w->in);
		w->ready(w, rc, e);
	}
}

static void template_copied(void *arg, int rc)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct template *t = arg;
	struct err e;

	t->copying = NULL;
	fd_close(&t->file_fd);
	if (!rc && fcntl(t->draft_fd, F_ADD_SEALS, seals))
		rc = -errno;
	errno = -rc;
	if (rc) {
		err_sys(&e, "load the memory of image version %s:%lld", t->version->image->name,
			(long long)t->version->number);
		fd_close(&t->draft_fd);
	} else {
		t->memfd = fd_steal(&t->draft_fd);
	}
	template_tell(t, rc ? -1 : 0, rc ? &e : NULL);
}

/* Descriptors, of a version: what a start touches, and its memory. */
struct read_ahead {
	int touched, memory;
};

static int template_do_read_ahead(void *arg)
{
	const struct read_ahead *r = arg;
	struct stat st;
	void *runs;

	if (fstat(r->touched, &st))
		return -errno;
	if (st.st_size <= 0 || st.st_size > (off_t)TOUCHED_MOST)
		return -EINVAL;
	runs = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, r->touched, 0);
	if (runs == MAP_FAILED)
		return -errno;
	touched_read_ahead(runs, (size_t)st.st_size, r->memory);
	return 0;
}

static void template_has_read_ahead(void *arg, int rc)
{
	(void)arg;
	if (rc)
		log_warn("what a start touches cannot be read ahead: %s", strerror(-rc));
}

/* The version's first machine since a while: nothing of its memory may be in the host's.  The
 * machine does not wait for it. */
static void template_read_ahead(const struct template *t)
{
	struct err e;
	autoclose int touched = template_open_file(t, TOUCHED_FILE, &e);
	struct read_ahead r = { touched, t->memfd };

	if (touched < 0) /* an older version's */
		log_debug("no list of what a start touches cause='%s'", e.text);
	else if (!fork_task_start(&t->ctl->loop, template_do_read_ahead, &r,
				  (int[]){ touched, t->memfd }, 2, template_has_read_ahead, NULL,
				  &e))
		log_warn("cannot read ahead cause='%s'", e.text);
}

void template_load(struct template *t, struct template_wait *w,
		   void (*ready)(struct template_wait *w, int rc, const struct err *e))
{
	struct err e;

	w->ready = ready;
	if (t->memfd >= 0) {
		ready(w, 0, NULL);
		return;
	}
	if (!template_engine(t)->sealed_memory) {
		t->memfd = template_open_file(t, "memory", &e);
		if (t->memfd >= 0)
			template_read_ahead(t);
		ready(w, t->memfd < 0 ? -1 : 0, t->memfd < 0 ? &e : NULL);
		return;
	}
	list_add(&t->waits, &w->in);
	if (t->copying)
		return;
	t->file_fd = template_open_file(t, "memory", &e);
	if (t->file_fd >= 0) {
		t->draft_fd = memfd_create("doze-template", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (t->draft_fd < 0)
			err_sys(&e, "make a memfd");
		else
			t->copying = fork_task_start(&t->ctl->loop, template_copy, t,
						     (int[]){ t->file_fd, t->draft_fd }, 2,
						     template_copied, t, &e);
	}
	if (t->copying)
		return;
	fd_close(&t->file_fd);
	fd_close(&t->draft_fd);
	template_tell(t, -1, &e);
}

void template_cancel(struct template *t)
{
	fork_task_forget(t->copying);
	t->copying = NULL;
	fd_close(&t->file_fd);
	fd_close(&t->draft_fd);
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

uint64_t template_cost(const struct template *t)
{
	const struct image_version *v = t->version;
	uint64_t bytes = template_clone_bytes(t);
	autofree char *path = NULL;
	struct stat st;

	if (t->memfd >= 0 || !template_engine(t)->sealed_memory)
		return bytes;
	path = xasprintf("images/%s/%lld/memory", v->image->id, (long long)v->number);
	if (!fstatat(t->ctl->data_fd, path, &st, AT_SYMLINK_NOFOLLOW))
		bytes += (uint64_t)st.st_blocks * 512;
	return bytes;
}

static int template_open_all(struct template *t, struct machine *m, const struct microvm *vm,
			     int64_t save, int fds[RESTORE_NUM_SAVE_FDS], struct err *e)
{
	autoclose int empty = template_open_file(t, "overlay", e);

	if (empty < 0)
		return -1;
	for (int i = 0; i < RESTORE_NUM_FDS; i++) {
		if (i == RESTORE_FD_MEMORY)
			fds[i] = fcntl(t->memfd, F_DUPFD_CLOEXEC, 3);
		else if (i == RESTORE_FD_OVERLAY)
			fds[i] = checkpoint_new_overlay(t->ctl, m->id, empty, e);
		else
			fds[i] = template_open_file(t, image_files[i], e);
		if (fds[i] < 0)
			return -1;
	}
	return save ? checkpoint_open(vm, save, fds + RESTORE_NUM_FDS, e) : 0;
}

void template_restore(struct template *t, struct machine *m, const struct microvm *vm, int64_t save,
		      machine_done *done)
{
	const struct machine_restore restore = { .shape = t->version->shape,
						 .from_save = save != 0 };
	unsigned n = save ? RESTORE_NUM_SAVE_FDS : RESTORE_NUM_FDS;
	int fds[RESTORE_NUM_SAVE_FDS];
	struct err e;
	int rc;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = -1;
	rc = template_open_all(t, m, vm, save, fds, &e);
	if (!rc)
		machine_ask(m, MACHINE_RESTORE, &restore, fds, n, done);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(&fds[i]);
	if (rc)
		done(m, -1, NULL, &e);
}
