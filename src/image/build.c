#include "image/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"

/* The touched pages matter only where machines map the image's memory from a file. */
static bool build_notes_touched(const struct build *b)
{
	return !b->engine->sealed_memory;
}

static bool build_makes_clone(const struct build *b)
{
	return b->spec.validate.enabled || build_notes_touched(b);
}

static bool build_is_fresh(const struct build *b)
{
	return !b->spec.rebuild_of;
}

static bool build_is_rebuild(const struct build *b)
{
	return b->spec.rebuild_of;
}

/* clang-format off */
static const struct build_stage build_stages[] = {
	{ "fetch",    "fetch the artifact",              build_fetch,         build_is_fresh },
	{ "unpack",   "check and unpack it",             build_unpack,        build_is_fresh },
	{ "build",    "prepare the base images",         build_base,          build_is_fresh },
	{ "disk",     "take an earlier version's disk",  build_take_disk,     build_is_rebuild },
	{ "disk",     "make its empty overlay",          build_empty_overlay, NULL },
	{ "build",    "build the container image",       build_container,     build_is_fresh },
	{ "disk",     "make its disk",                   build_disk,          build_is_fresh },
	{ "boot",     "boot a microVM",                  build_boot,          NULL },
	{ "ready",    "start the application",           build_ready,         NULL },
	{ "snapshot", "let it come to rest",             build_settle,        NULL },
	{ "snapshot", "take the snapshot",               build_snapshot,      NULL },
	{ "validate", "validate a microVM made from it", build_validate,      build_makes_clone },
	{ "validate", "note what its start touches",     build_touched,       build_notes_touched },
	{ "snapshot", "put it in its place",             build_commit,        NULL },
};
/* clang-format on */
static_assert(ARRAY_SIZE(build_stages) <= BUILD_STAGES, "took_ms has a place for each");

static void build_clear(struct build *b);

void build_log(struct build *b, const void *data, size_t size)
{
	static const char full[] = "\ndoze: the log is full; the rest is not kept\n";

	if (b->log.fd < 0 || b->log.bytes > LIMIT_LOG_FILE)
		return;
	b->log.bytes += size;
	if (io_write_full(b->log.fd, data, size))
		b->log.bytes = LIMIT_LOG_FILE + 1; /* the disk is full: stop the log */
	else if (b->log.bytes > LIMIT_LOG_FILE && io_write_full(b->log.fd, full, sizeof(full) - 1))
		log_warn("a build log cannot be written");
}

void build_logf(struct build *b, const char *fmt, ...)
{
	char text[1200];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	n = n > (int)sizeof(text) - 2 ? (int)sizeof(text) - 2 : n;
	text[n++] = '\n';
	build_log(b, text, (size_t)n);
}

static void build_timer_closed(uv_handle_t *handle)
{
	free(handle);
}

uv_timer_t *build_timer(struct build *b, uint64_t first_ms, uint64_t every_ms, uv_timer_cb fire)
{
	uv_timer_t *t = xcalloc(1, sizeof(*t));

	uv_timer_init(b->role->loop, t);
	t->data = b;
	uv_timer_start(t, fire, first_ms, every_ms);
	return t;
}

void build_timer_end(uv_timer_t **t)
{
	if (*t)
		uv_close((uv_handle_t *)*t, build_timer_closed);
	*t = NULL;
}

void build_tick(struct build *b, uint64_t every_ms, uv_timer_cb fire)
{
	build_timer_end(&b->tick);
	b->tick = build_timer(b, every_ms, every_ms, fire);
}

char *build_tag(const struct build *b)
{
	return xasprintf("localhost/doze/image/%s", b->what.version.image);
}

bool build_boots(const struct build *b)
{
	int i = 0;

	while (build_stages[i].start != build_boot)
		i++;
	return b->stage.at >= i;
}

bool build_is_at(const struct build *b, void (*stage)(struct build *b))
{
	return b->stage.at >= 0 && b->stage.at < (int)ARRAY_SIZE(build_stages) &&
	       build_stages[b->stage.at].start == stage;
}

static void build_stage_end(struct build *b)
{
	build_timer_end(&b->tick);
	if (b->stage.open) {
		b->stage.took_ms[b->stage.at] = clock_mono_ms() - b->stage.began_ms;
		build_progress_end(b);
	}
	b->stage.open = false;
}

static void build_log_times(struct build *b)
{
	build_logf(b, "doze: seconds per step:");
	for (int i = 0; i < (int)ARRAY_SIZE(build_stages); i++)
		if (b->stage.took_ms[i])
			build_logf(b, "doze: %8.2f  %s", (double)b->stage.took_ms[i] / 1000,
				   build_stages[i].shown);
	build_logf(b, "doze: %8.2f  in all", (double)(clock_mono_ms() - b->began_ms) / 1000);
}

/* A full disk is the cause of a failure, whatever the failed step says. */
static bool build_disk_is_full(const struct build *b)
{
	struct statvfs s;

	return !fstatvfs(b->role->images_fd, &s) && s.f_bavail * s.f_frsize < LIMIT_DISK_LEFT;
}

void build_next(struct build *b)
{
	assert(!b->clearing);
	build_stage_end(b);
	do
		b->stage.at++;
	while (b->stage.at < (int)ARRAY_SIZE(build_stages) && build_stages[b->stage.at].wanted &&
	       !build_stages[b->stage.at].wanted(b));
	if (b->stage.at == (int)ARRAY_SIZE(build_stages)) {
		b->done.ok = 1;
		build_log_times(b);
		build_logf(b, "doze: the image version is ready");
		build_clear(b);
		return;
	}
	b->stage.open = true;
	b->stage.began_ms = clock_mono_ms();
	build_progress_begin(b, &build_stages[b->stage.at], ARRAY_SIZE(build_stages));
	/* Stop before the disk is really full, because the layers' file system would lose writes
	 * then. */
	if (build_disk_is_full(b)) {
		build_fail(b, CODE_FULL, "A build needs at least %llu MiB.",
			   (unsigned long long)(LIMIT_DISK_LEFT / MIB));
		return;
	}
	build_stages[b->stage.at].start(b);
}

void build_fail(struct build *b, const char *code, const char *fmt, ...)
{
	static const char full[] = "The disk of the data directory is full. ";
	size_t n = 0;
	va_list ap;

	if (b->failed || b->clearing)
		return;
	b->failed = true;
	if (build_disk_is_full(b)) {
		code = CODE_FULL;
		n = sizeof(full) - 1;
		memcpy(b->done.reason, full, n);
	}
	va_start(ap, fmt);
	vsnprintf(b->done.reason + n, sizeof(b->done.reason) - n, fmt, ap);
	va_end(ap);
	snprintf(b->done.code, sizeof(b->done.code), "%s", code);
	build_stage_end(b);
	build_logf(b, "doze: FAILED: %s (%s)", b->done.reason, b->done.code);
	build_log_times(b);
	log_info("A build failed build=%s code=%s", b->what.name.build, b->done.code);
	build_clear(b);
}

static void build_closed(uv_handle_t *handle)
{
	free(handle->data);
	free(handle);
}

/* A build may end inside any of its calls, so its struct is freed after they have returned.
 */
static void build_free_later(struct build *b)
{
	uv_timer_t *last = xcalloc(1, sizeof(*last));

	uv_timer_init(b->role->loop, last);
	last->data = b;
	uv_close((uv_handle_t *)last, build_closed);
}

/* This is the last step of the clearing. */
static void build_free(struct build *b)
{
	struct image_role *role = b->role;

	list_del(&b->in);
	role->running--;
	build_timer_end(&b->deadline);
	build_timer_end(&b->tick);
	build_timer_end(&b->progress.late);
	build_timer_end(&b->boot.timer);
	if (role->control)
		chan_uv_send(role->control, BUILD_DONE, 0, &b->done, sizeof(b->done), NULL, 0);
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		fd_close(&b->save_fds[i]);
	fd_close(&b->clone.memory_fd);
	fd_close(&b->clone.touched_fd);
	fd_close(&b->clone.from_fd);
	fd_close(&b->artifact.fd);
	fd_close(&b->boot.explanation_fd);
	fd_close(&b->files.root_fd);
	fd_close(&b->files.dir_fd);
	fd_close(&b->files.draft_fd);
	fd_close(&b->files.image_fd);
	fd_close(&b->log.fd);
	buf_free(&b->progress.unwritten);
	spec_free(&b->spec);
	app_free(&b->app);
	health_free(&b->check);
	buf_free(&b->ready.places);
	build_free_later(b);
	builds_more(role);
}

/* This runs in a child. */
static int build_delete(void *arg)
{
	struct build *b = arg;
	char image[UUID_SIZE];
	int rc =
		b->files.draft_name[0] ? io_remove_tree(b->files.image_fd, b->files.draft_name) : 0;

	snprintf(image, sizeof(image), "%s", b->what.version.image);
	if (b->files.dir_fd >= 0 && io_remove_tree(b->role->build_fd, b->files.dir_name))
		rc = -EBUSY; /* the next sweep takes it */
	/* An image that never had a version leaves no directory. */
	if (b->failed && unlinkat(b->role->images_fd, image, AT_REMOVEDIR) && errno != ENOTEMPTY &&
	    errno != EEXIST && errno != ENOENT)
		rc = -errno;
	return rc;
}

static void build_deleted(void *arg, int rc)
{
	struct build *b = arg;

	if (rc)
		log_warn("a build left something behind build=%s error=\"%s\"", b->what.name.build,
			 strerror(-rc));
	b->task = NULL;
	build_free(b);
}

static void build_swept(struct job *j, const json_t *result, const struct err *why)
{
	struct build *b = container_of(j, struct build, job);
	struct err e;

	if (!result)
		log_warn("a build's directory is not swept cause='%s'", why->text);
	b->task =
		fork_task_start(b->role->loop, build_delete, b,
				(int[]){ b->files.image_fd, b->role->build_fd, b->role->images_fd },
				3, build_deleted, b, &e);
	if (!b->task)
		build_free(b);
}

static void build_swept_output(struct job *j, const uint8_t *data, size_t size)
{
	(void)j;
	(void)data;
	(void)size;
}

static const struct job_ops build_sweep_ops = { build_swept_output, build_swept };

/* Only the user doze-build can delete the files of doze-build. */
static void build_sweep(struct vm *vm)
{
	struct build *b = container_of(vm, struct build, vm);
	const struct err none = { ERR_INTERNAL, "there is none" };

	job_begin(&b->job, b->role, &build_sweep_ops, b->files.dir_fd, b->files.dir_name, "clean");
	build_step_options(b->role, &b->job);
	if (b->files.dir_fd >= 0)
		job_start(&b->job, -1);
	else
		build_swept(&b->job, NULL, &none);
}

static void build_clear(struct build *b)
{
	b->clearing = true;
	request_drop(&b->artifact.request);
	build_port_probe_cancel(b);
	build_timer_end(&b->boot.timer);
	/* A task or job that runs may still write into the draft. When it has ended, build_stopped
	 * goes on. */
	if (b->task)
		fork_task_kill(b->task);
	else if (b->job.active)
		job_kill(&b->job);
	else
		vm_end(&b->vm, build_sweep);
}

/* This is the second half of build_clear. */
void build_stopped(struct build *b)
{
	vm_end(&b->vm, build_sweep);
}
