/* The boot of a build's microVM, which is given up when it hangs and not when it is slow.  It goes
 * on beside the stages that make the container and the disk.
 *
 * A boot that hangs is explained in a file beside the build's log, and tried once more.  One whose
 * kernel measured its timer wrong (guest/timer.h) ends by itself and is tried a few times. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "image/build.h"

#define BOOT_EXPLAIN_MS 8000
#define BOOT_TIMERS     10         /* boots at most until one measures its timer right */
#define BOOT_SHOWN      (12 * KIB) /* of the explanation in the build's log */

static void boot_try(struct build *b);

static void boot_again(struct vm *vm)
{
	struct build *b = container_of(vm, struct build, vm);

	if (!b->clearing)
		boot_try(b);
}

static void boot_tick(struct build *b, uint64_t every_ms, uv_timer_cb fire)
{
	build_timer_end(&b->boot.timer);
	b->boot.timer = build_timer(b, every_ms, every_ms, fire);
}

/* The machine ends, and another one boots. */
static void boot_once_more(struct build *b)
{
	build_timer_end(&b->boot.timer);
	vm_end(&b->vm, boot_again);
}

/* Shows the begin of the explanation, which is the console's end and the registers. */
static void boot_show(struct build *b)
{
	char bytes[BOOT_SHOWN];
	ssize_t n = pread(b->boot.explanation_fd, bytes, sizeof(bytes), b->boot.explained_at);

	if (n <= 0)
		return;
	for (ssize_t i = 0; i < n; i++)
		if (bytes[i] != '\n' && (bytes[i] < ' ' || bytes[i] > '~'))
			bytes[i] = '?';
	build_log(b, bytes, (size_t)n);
	build_logf(b, "%s", n == sizeof(bytes) ? "\n..." : "");
}

static void boot_explained(struct build *b)
{
	build_timer_end(&b->boot.timer);
	boot_show(b);
	fd_close(&b->boot.explanation_fd);
	if (b->boot.hangs > 1) {
		build_fail(b, CODE_INTERNAL,
			   "The build's microVM hung twice while it booted: %s. "
			   "%s/builds/%s.hung says where it stood.",
			   boot_verdict_text(b->boot.verdict), b->role->conf->log_dir,
			   b->what.name.build);
		return;
	}
	build_logf(b, "doze: warning: it boots once more");
	boot_once_more(b);
}

static void boot_told(struct vm *vm, struct ipc_msg *m)
{
	struct build *b = container_of(vm, struct build, vm);

	(void)m;
	if (!b->clearing && b->boot.verdict)
		boot_explained(b);
}

static void boot_explain_late(uv_timer_t *t)
{
	boot_explained(t->data);
}

/* One file for both attempts. */
static bool boot_open_explanation(struct build *b)
{
	autofree char *name = xasprintf("%s.hung", b->what.name.build);
	char head[200];
	int fd = io_open_below(b->role->log_fd, name, O_RDWR | O_CREAT | O_APPEND, 0640);

	b->boot.explanation_fd = fd;
	if (fd < 0 || image_share(b->role, fd, 0640))
		return false;
	b->boot.explained_at = lseek(fd, 0, SEEK_END);
	snprintf(head, sizeof(head), "== boot %u: %s\n", b->boot.hangs,
		 boot_verdict_text(b->boot.verdict));
	return !io_write_full(fd, head, strlen(head));
}

static void boot_hangs(struct build *b, enum boot_verdict verdict)
{
	const struct machine_none none = { 0 };

	b->boot.verdict = verdict;
	b->boot.hangs++;
	log_warn("a build's microVM hangs while it boots build=%s machine=%s cause='%s'",
		 b->what.name.build, b->vm.id, boot_verdict_text(verdict));
	build_logf(b,
		   "doze: warning: the microVM hangs while it boots: %s; %s/builds/%s.hung keeps "
		   "where it stands",
		   boot_verdict_text(verdict), b->role->conf->log_dir, b->what.name.build);
	boot_tick(b, BOOT_EXPLAIN_MS, boot_explain_late);
	if (!boot_open_explanation(b) ||
	    !vm_ask(&b->vm,
		    &(struct request_what){ MACHINE_EXPLAIN, &none, sizeof(none),
					    &b->boot.explanation_fd, 1 },
		    boot_told))
		boot_explained(b);
}

static void boot_judge(struct build *b, const struct machine_progress *p)
{
	enum boot_verdict v = boot_judge_look(&b->boot.judge, clock_mono_ms(), p);

	if (v)
		boot_hangs(b, v);
}

static void boot_progress(struct vm *vm, struct ipc_msg *m)
{
	struct build *b = container_of(vm, struct build, vm);

	if (m && m->head.type == MACHINE_PROGRESS && !b->clearing && !b->boot.verdict &&
	    b->boot.under_way)
		boot_judge(b, (const void *)m->body);
}

static void boot_look(uv_timer_t *t)
{
	const struct machine_none none = { 0 };
	struct build *b = t->data;

	/* While an answer is owed, or there is nobody who could give one, time passes. */
	if (!vm_ask(&b->vm,
		    &(struct request_what){ MACHINE_GET_PROGRESS, &none, sizeof(none), NULL, 0 },
		    boot_progress))
		boot_judge(b, NULL);
}

/* True: the machine ended because its kernel measured its timer wrong, and another one boots. */
static bool boot_retried(struct build *b, const struct err *e)
{
	if (b->clearing || !strstr(e->text, AGENT_TIMER_WORDS) || ++b->boot.timers == BOOT_TIMERS)
		return false;
	build_logf(b,
		   "doze: warning: the host gave the guest's kernel no time to measure its timer; "
		   "it boots again (%u of %d)",
		   b->boot.timers + 1, BOOT_TIMERS);
	boot_once_more(b);
	return true;
}

static void boot_down(struct vm *vm, const struct err *e)
{
	if (!boot_retried(container_of(vm, struct build, vm), e))
		build_vm_down(vm, e);
}

static void boot_answered(struct vm *vm, struct ipc_msg *m, const struct err *e)
{
	if (!m)
		boot_down(vm, e);
}

static int boot_open_guest(const struct build *b, const char *name)
{
	autofree char *path = xasprintf("%s/guest/%s", b->role->conf->libexec_dir, name);

	return open(path, O_RDONLY | O_CLOEXEC);
}

static void boot_up(struct vm *vm)
{
	struct build *b = container_of(vm, struct build, vm);
	const struct machine_boot boot = { { b->shape.vcpus, b->shape.memory_mib } };
	autoclose int kernel = boot_open_guest(b, "vmlinux");
	autoclose int initrd = boot_open_guest(b, "initrd");
	autoclose int disk = -1;
	struct err e;

	if (kernel < 0 || initrd < 0) {
		build_fail(b, CODE_INTERNAL,
			   "The guest's kernel is not installed: run "
			   "tools/install again.");
		return;
	}
	disk = build_overlay(b, false, &e);
	if (disk < 0) {
		build_fail(b, CODE_INTERNAL, "The build's disk cannot be opened.");
		return;
	}
	vm_request(vm,
		   &(struct request_what){ MACHINE_BOOT, &boot, sizeof(boot),
					   (const int[]){ kernel, initrd, b->files.root_fd, disk },
					   BOOT_NUM_FDS },
		   boot_answered);
}

static const struct vm_ops boot_ops = { boot_up, boot_down, build_vm_frame };

static void boot_try(struct build *b)
{
	b->boot.verdict = BOOT_GOES_ON;
	boot_judge_begin(&b->boot.judge, clock_mono_ms(), b->role->boot_cpu_ns);
	boot_tick(b, BOOT_LOOK_MS, boot_look);
	build_vm_start(b, &boot_ops);
}

void build_boot_begin(struct build *b)
{
	b->done.vcpus = b->shape.vcpus;
	b->done.memory_mib = b->shape.memory_mib;
	b->boot.under_way = true;
	boot_try(b);
	build_next(b);
}

void build_boot(struct build *b)
{
	if (!b->boot.under_way)
		build_next(b);
}

/* One that was held for hanging may have been slow after all, as long as it is there. */
void build_hello(struct build *b, const struct agent_frame *f)
{
	uint64_t protocol = 0;

	if (b->clearing || !b->boot.under_way)
		return;
	b->boot.under_way = false;
	build_timer_end(&b->boot.timer);
	b->boot.verdict = BOOT_GOES_ON;
	fd_close(&b->boot.explanation_fd);
	if (b->boot.judge.seen)
		b->role->boot_cpu_ns = b->boot.judge.last.cpu_ns;
	if (!agent_get_u64(f, FIELD_PROTOCOL, &protocol) || protocol != AGENT_PROTOCOL)
		build_fail(b, CODE_INTERNAL,
			   "The guest's agent is of another release: run "
			   "tools/install again.");
	else if (build_is_at(b, build_boot))
		build_next(b);
}
