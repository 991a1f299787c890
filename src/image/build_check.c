/* Hooks of a build, the throw-away microVM that /validate is asked in, and the last rename. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/rand.h"
#include "image/build.h"
#include "ipc/touched.h"

#define HOOK_AGAIN_MS 250
#define RESTORE_MS    60000
#define SEALS         (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static void build_hook_send(struct build *b);

static const char *build_hook_code(const struct build *b)
{
	return *b->hook == 'R' ? CODE_READY : CODE_VALIDATE;
}

static void build_hook_late(struct build *b)
{
	struct err e;

	hook_timed_out(b->hook, b->hook_timeout_ms, &e);
	build_fail(b, build_hook_code(b), "%s", e.text);
}

static int64_t build_hook_left(const struct build *b)
{
	return b->hook_ms + b->hook_timeout_ms - clock_mono_ms();
}

static void build_hook_again(uv_timer_t *t)
{
	struct build *b = t->data;

	build_timer_end(&b->tick);
	build_hook_send(b);
}

/* The guest keeps the time; a little longer, and it is we who end it. */
static void build_hook_overdue(uv_timer_t *t)
{
	build_hook_late(t->data);
}

static void build_hook_send(struct build *b)
{
	int64_t left = build_hook_left(b);
	autobuf struct buf frame = { 0 };
	size_t mark;

	if (left <= 0) {
		build_hook_late(b);
		return;
	}
	b->hook_id = ++b->vm.next_id;
	mark = agent_begin(&frame, AGENT_HOOK);
	agent_put_u64(&frame, FIELD_ID, b->hook_id);
	agent_put_text(&frame, FIELD_NAME, *b->hook == 'R' ? "ready" : "validate");
	agent_put_u64(&frame, FIELD_PORT, (uint64_t)b->spec.hook_port);
	agent_put_u64(&frame, FIELD_TIMEOUT_MS, (uint64_t)left);
	agent_end(&frame, mark);
	vm_send(&b->vm, &frame);
	build_tick(b, (uint64_t)left + 2000, build_hook_overdue);
}

void build_hook(struct build *b, const char *name, const struct spec_hook *hook)
{
	b->hook = name;
	b->hook_ms = clock_mono_ms();
	b->hook_timeout_ms = hook->timeout_ms;
	build_hook_send(b);
}

static void build_hook_fine(struct build *b)
{
	b->hook = NULL;
	build_next(b);
}

void build_hook_result(struct build *b, const struct agent_frame *f)
{
	uint64_t id = 0, outcome = OUTCOME_NUM, status = 0;
	struct err e;

	if (!b->hook || !agent_get_u64(f, FIELD_ID, &id) || id != b->hook_id)
		return;
	if (!agent_get_u64(f, FIELD_OUTCOME, &outcome) || outcome > OUTCOME_NUM)
		outcome = OUTCOME_NUM;
	if (!agent_get_u64(f, FIELD_STATUS, &status) || status > 999)
		status = 0;
	b->hook_id = 0;
	switch (hook_judge(b->hook, (enum agent_outcome)outcome, (unsigned)status,
			   b->hook_timeout_ms, &e)) {
	case HOOK_FINE:
		build_hook_fine(b);
		return;
	case HOOK_AGAIN:
		if (build_hook_left(b) <= HOOK_AGAIN_MS)
			build_hook_late(b);
		else
			build_tick(b, HOOK_AGAIN_MS, build_hook_again);
		return;
	case HOOK_FAILED:
		build_fail(b, build_hook_code(b), "%s", e.text);
		return;
	}
}

/* A clone to throw away: memory as clones see it, a scratch disk, the guest told that it is
 * somebody new.  It is asked /validate, and what it has touched by then. */

static int build_copy_memory(void *arg)
{
	struct build *b = arg;

	return io_copy_sparse(b->from_fd, b->memory_fd);
}

static void build_validate_resumed(struct build *b)
{
	if (b->spec.validate.enabled)
		build_hook(b, "Validate", &b->spec.validate);
	else
		build_next(b);
}

static void build_say_resumed(struct build *b)
{
	autobuf struct buf frame = { 0 };
	char uuid[UUID_SIZE], identity[64];
	uint8_t random[64];
	size_t mark;

	rand_uuid(uuid);
	snprintf(identity, sizeof(identity), "microvm-%s", uuid);
	rand_bytes(random, sizeof(random));
	mark = agent_begin(&frame, AGENT_RESUMED);
	agent_put_u64(&frame, FIELD_ID, build_expect_ack(b, build_validate_resumed));
	agent_put_u64(&frame, FIELD_WALL_NS, (uint64_t)clock_wall_ms() * 1000000);
	agent_put(&frame, FIELD_RANDOM, random, sizeof(random));
	agent_put_text(&frame, FIELD_IDENTITY, identity);
	agent_end(&frame, mark);
	vm_send(&b->vm, &frame);
}

static void build_restored(struct vm *vm, struct ipc_msg *m, const struct err *e)
{
	struct build *b = container_of(vm, struct build, vm);

	if (!m)
		build_fail(b, CODE_INTERNAL, "The snapshot could not be restored: %s.", e->text);
	else
		build_say_resumed(b);
}

static void build_validate_up(struct vm *vm)
{
	static const char *const names[] = {
		[RESTORE_FD_HEADER] = "header", [RESTORE_FD_STATE] = "state",
		[RESTORE_FD_MEMORY] = NULL,     [RESTORE_FD_ROOT] = "root",
		[RESTORE_FD_DISK] = "disk",     [RESTORE_FD_OVERLAY] = NULL
	};
	struct build *b = container_of(vm, struct build, vm);
	const struct machine_restore restore = { .shape = { b->shape.vcpus, b->shape.memory_mib } };
	int fds[RESTORE_NUM_FDS];
	bool fine = true;
	struct err e;

	for (size_t i = 0; i < RESTORE_NUM_FDS; i++)
		fds[i] = names[i] ? io_open_below(b->draft_fd, names[i], O_RDONLY, 0)
			 : i == RESTORE_FD_MEMORY ? fcntl(b->memory_fd, F_DUPFD_CLOEXEC, 3)
						  : build_overlay(b, true, &e);
	for (size_t i = 0; i < RESTORE_NUM_FDS; i++)
		fine = fine && fds[i] >= 0;
	if (fine)
		vm_request(vm,
			   &(struct ask_what){ MACHINE_RESTORE, &restore, sizeof(restore), fds,
					       RESTORE_NUM_FDS },
			   build_restored);
	else
		build_fail(b, CODE_INTERNAL, "The snapshot's files cannot be opened.");
	for (size_t i = 0; i < RESTORE_NUM_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static const struct vm_ops build_validate_ops = { build_validate_up, build_vm_down,
						  build_vm_frame };

static void build_restore_late(uv_timer_t *t)
{
	build_fail(t->data, CODE_INTERNAL, "The snapshot could not be restored within %d seconds.",
		   RESTORE_MS / 1000);
}

static void build_validate_boot(struct build *b)
{
	build_tick(b, RESTORE_MS, build_restore_late);
	build_vm_start(b, &build_validate_ops);
}

static void build_memory_copied(void *arg, int rc)
{
	struct build *b = arg;

	b->work = NULL;
	fd_close(&b->from_fd);
	if (b->clearing) {
		build_stopped(b);
		return;
	}
	if (rc || fcntl(b->memory_fd, F_ADD_SEALS, SEALS)) {
		build_fail(b, CODE_INTERNAL, "The snapshot's memory could not be copied.");
		return;
	}
	build_validate_boot(b);
}

void build_validate(struct build *b)
{
	struct err e;

	b->from_fd = io_open_below(b->draft_fd, "memory", O_RDONLY, 0);
	if (b->from_fd >= 0 && !b->engine->sealed_memory) {
		b->memory_fd = fd_steal(&b->from_fd);
		build_validate_boot(b);
		return;
	}
	b->memory_fd = memfd_create("doze-validate", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (b->from_fd >= 0 && b->memory_fd >= 0)
		b->work = fork_task_start(b->role->loop, build_copy_memory, b,
					  (int[]){ b->from_fd, b->memory_fd }, 2,
					  build_memory_copied, b, &e);
	if (!b->work)
		build_fail(b, CODE_INTERNAL, "The snapshot's memory could not be copied.");
}

/* Everything durable, then visible by one rename.  In a child. */
static int build_publish(void *arg)
{
	static const char *const names[] = { "root",       "overlay", "disk",      "header",
					     "state",      "memory",  "spec.json", BUILD_APP_FILE,
					     TOUCHED_FILE, "." };
	struct build *b = arg;
	char version[16];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		autoclose int fd = io_open_below(b->draft_fd, names[i], O_RDONLY, 0);

		if (fd == -ENOENT && !strcmp(names[i], TOUCHED_FILE))
			continue; /* its monitor does not say */
		if (fd < 0)
			return fd;
		if (fsync(fd))
			return -errno;
	}
	snprintf(version, sizeof(version), "%u", b->what.version.version);
	if (io_remove_tree(b->image_fd, version))
		return -EIO;
	if (renameat(b->image_fd, b->draft_name, b->image_fd, version))
		return -errno;
	if (fsync(b->image_fd) || fsync(b->role->images_fd))
		return -errno;
	return 0;
}

/* A version is seen only as that of a build that succeeded: back under the draft's name it is
 * cleared with the build, or by the next sweep. */
static void build_unpublish(struct build *b)
{
	char version[16];

	snprintf(version, sizeof(version), "%u", b->what.version.version);
	if (renameat(b->image_fd, version, b->image_fd, b->draft_name) && errno != ENOENT)
		log_warn("a failed build's version stays build=%s error=\"%s\"", b->what.name.build,
			 strerror(errno));
}

static void build_published(void *arg, int rc)
{
	struct build *b = arg;

	b->work = NULL;
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
	autofree char *text = json_dumps(b->spec.json, JSON_COMPACT);
	autoclose int fd = -1;
	struct err e;

	fd_close(&b->memory_fd);
	fd = image_create(b->role, b->draft_fd, "spec.json", &e);
	if (!text || fd < 0 || io_write_full(fd, text, strlen(text))) {
		build_fail(b, CODE_INTERNAL, "The build spec could not be stored.");
		return;
	}
	b->work = fork_task_start(b->role->loop, build_publish, b,
				  (int[]){ b->draft_fd, b->image_fd, b->role->images_fd }, 3,
				  build_published, b, &e);
	if (!b->work)
		build_fail(b, CODE_INTERNAL, "%s.", e.text);
}

/* The validating microVM, if there was one, ends first. */
void build_commit(struct build *b)
{
	vm_end(&b->vm, build_commit_now);
}
