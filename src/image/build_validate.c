/* Restores a throw-away clone with memory as clones see it and a scratch disk, and tells the guest
 * that it is a new microVM. Its /validate hook is called, and it reports which pages it has
 * touched. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/rand.h"
#include "image/build.h"

#define RESTORE_MS 60000
#define SEALS      (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int build_copy_memory(void *arg)
{
	struct build *b = arg;

	return io_copy_sparse(b->clone.from_fd, b->clone.memory_fd);
}

static void build_validate_resumed(struct build *b)
{
	if (b->spec.validate.enabled)
		build_hook(b, &hook_validate, &b->spec.validate);
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
		fds[i] = names[i] ? io_open_below(b->files.draft_fd, names[i], O_RDONLY, 0)
			 : i == RESTORE_FD_MEMORY ? fcntl(b->clone.memory_fd, F_DUPFD_CLOEXEC, 3)
						  : build_overlay(b, true, &e);
	for (size_t i = 0; i < RESTORE_NUM_FDS; i++)
		fine = fine && fds[i] >= 0;
	if (fine)
		vm_request(vm,
			   &(struct request_what){ MACHINE_RESTORE, &restore, sizeof(restore), fds,
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

	b->task = NULL;
	fd_close(&b->clone.from_fd);
	if (b->clearing) {
		build_stopped(b);
		return;
	}
	if (rc || fcntl(b->clone.memory_fd, F_ADD_SEALS, SEALS)) {
		build_fail(b, CODE_INTERNAL, "The snapshot's memory could not be copied.");
		return;
	}
	build_validate_boot(b);
}

void build_validate(struct build *b)
{
	struct err e;

	b->clone.from_fd = io_open_below(b->files.draft_fd, "memory", O_RDONLY, 0);
	if (b->clone.from_fd >= 0 && !b->engine->sealed_memory) {
		b->clone.memory_fd = fd_steal(&b->clone.from_fd);
		build_validate_boot(b);
		return;
	}
	b->clone.memory_fd = memfd_create("doze-validate", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (b->clone.from_fd >= 0 && b->clone.memory_fd >= 0)
		b->task = fork_task_start(b->role->loop, build_copy_memory, b,
					  (int[]){ b->clone.from_fd, b->clone.memory_fd }, 2,
					  build_memory_copied, b, &e);
	if (!b->task)
		build_fail(b, CODE_INTERNAL, "The snapshot's memory could not be copied.");
}
