#include "control/microvm/suspend.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/admission/admission.h"
#include "control/channels/routes.h"
#include "control/microvm/guest_role.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/policy.h"
#include "control/microvm/suspend_parts.h"
#include "control/microvm/waiters.h"
#include "control/storage/checkpoint.h"

#define SUSPEND_HELD_MS      2000  /* for the proxy's answer; then our own clock decides */
#define SUSPEND_RETRY_MS     1000  /* until the first retry; each further one waits twice as long */
#define SUSPEND_RETRY_MAX_MS 30000 /* but no longer than this */
/* A save that has written nothing for this time, and for a second more per SUSPEND_SLOWEST bytes
 * that it has to write, is reported. */
#define SUSPEND_STALL_MS 120000
#define SUSPEND_SLOWEST  (10 * MIB)

struct suspend *suspend_of(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);

	if (l->suspend)
		return l->suspend;
	l->suspend = xcalloc(1, sizeof(*l->suspend));
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		l->suspend->fds[i] = -1;
	return l->suspend;
}

void suspend_enter(struct microvm *vm, enum suspend_phase phase)
{
	struct suspend *s = suspend_of(vm);

	checkpoint_forget(s->job);
	s->job = NULL;
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		fd_close(&s->fds[i]);
	s->phase = phase;
	s->asked = s->reported = false;
	s->retry_ms = 0;
	s->grown_ms = clock_mono_ms();
}

void suspend_free(struct microvm *vm)
{
	if (!vm->lifecycle->suspend)
		return;
	suspend_enter(vm, SUSPEND_NONE);
	free(vm->lifecycle->suspend);
	vm->lifecycle->suspend = NULL;
}

void suspend_retry_later(struct suspend *s)
{
	int64_t wait_ms = SUSPEND_RETRY_MS << (s->tries < 5 ? s->tries : 5);

	s->tries++;
	s->retry_ms =
		clock_mono_ms() + (wait_ms < SUSPEND_RETRY_MAX_MS ? wait_ms : SUSPEND_RETRY_MAX_MS);
}

/* Answers whoever waits for the suspend, which goes on. */
void suspend_notify_late(struct microvm *vm, const struct err *why)
{
	struct err e;

	err_set(&e, why->kind,
		"The MicroVM %s is still being suspended: %.512s. It is kept, and doze goes on "
		"trying.",
		vm->id, why->text);
	waiters_notify(&vm->lifecycle->suspends, -1, &e);
	waiters_notify(&vm->lifecycle->resumes, -1, &e);
}

/* Holding. */

void on_suspend_asked(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);

	if (vm->state != VM_RUNNING || (l->committing && l->event == EV_SUSPEND))
		return; /* the suspend has begun */
	suspend_enter(vm, SUSPEND_NONE);
	routes_hold(vm);
	lifecycle_event(vm, EV_SUSPEND, NULL);
}

void suspend_if_idle(struct microvm *vm)
{
	struct suspend *s = suspend_of(vm);

	if (s->phase != SUSPEND_NONE || vm->lifecycle->committing || vm->lifecycle->adopting)
		return;
	suspend_enter(vm, SUSPEND_HOLDING);
	s->held_ms = clock_mono_ms();
	routes_hold(vm);
}

static void suspend_decide(struct microvm *vm)
{
	suspend_enter(vm, SUSPEND_NONE);
	if (vm->state == VM_RUNNING && policy_idle(vm, clock_boot_ms()))
		on_suspend_asked(vm);
	else
		routes_release(vm);
}

void suspend_on_held(struct microvm *vm)
{
	if (suspend_of(vm)->phase == SUSPEND_HOLDING)
		suspend_decide(vm);
}

void on_enter_suspending(struct microvm *vm, enum vm_state from)
{
	struct suspend *s = suspend_of(vm);

	(void)from;
	s->failure = (struct err){ 0 };
	s->above = s->draft > vm->checkpoint ? s->draft : vm->checkpoint;
	s->tries = 0;
	routes_push(vm);
	if (!vm->machine)
		return; /* it has died, and EV_EXITED comes next */
	/* If the machine was found paused after a restart, its guest has answered the hook. */
	if (!hook_wanted(vm, HOOK_SUSPEND) || vm->machine->run == MACHINE_PAUSED) {
		save_draft(vm);
		return;
	}
	suspend_enter(vm, SUSPEND_HOOK);
	machine_hook(vm->machine, HOOK_SUSPEND, NULL, save_hooked);
}

/* As time passes. */

static void tick_holding(struct microvm *vm, struct suspend *s, int64_t now)
{
	if (now - s->held_ms > SUSPEND_HELD_MS)
		suspend_decide(vm);
}

/* It is said once how far the disk has come, if that is no farther than for a long time. */
static void suspend_report(struct microvm *vm, struct suspend *s, int64_t now)
{
	int64_t patience_ms = SUSPEND_STALL_MS + (int64_t)(s->total / SUSPEND_SLOWEST) * 1000;
	struct err e;

	if (s->reported || now - s->grown_ms < patience_ms)
		return;
	s->reported = true;
	log_warn("a save makes no progress id=%s mib=%llu of_mib=%llu", vm->id,
		 (unsigned long long)(s->written / MIB), (unsigned long long)(s->total / MIB));
	err_set(&e, ERR_CAPACITY,
		"%llu MiB are written, and the disk of the data directory is slow or stuck",
		(unsigned long long)(s->written / MIB));
	suspend_notify_late(vm, &e);
}

static void tick_saving(struct microvm *vm, struct suspend *s, int64_t now)
{
	uint64_t written = 0;
	struct stat st;

	if (vm->machine && vm->machine->private_bytes > s->total)
		s->total = vm->machine->private_bytes;
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		if (!fstat(s->fds[i], &st))
			written += (uint64_t)st.st_blocks * 512;
	if (written > s->written) {
		s->written = written;
		s->grown_ms = now;
		s->reported = false;
	}
	suspend_report(vm, s, now);
}

static void tick_finding(struct microvm *vm, struct suspend *s, int64_t now)
{
	if (vm->machine && now >= s->retry_ms)
		save_draft(vm);
}

static void tick_publishing(struct microvm *vm, struct suspend *s, int64_t now)
{
	if (s->job)
		suspend_report(vm, s, now);
	else if (s->retry_ms && now >= s->retry_ms)
		save_publish_again(vm);
}

static void tick_continuing(struct microvm *vm, struct suspend *s, int64_t now)
{
	if (vm->machine && !s->asked && s->retry_ms && now >= s->retry_ms)
		save_continue_again(vm);
}

static const struct {
	const char *name;
	void (*tick)(struct microvm *vm, struct suspend *s, int64_t now);
} phases[SUSPEND_NUM_PHASES] = {
	[SUSPEND_NONE] = { NULL, NULL },
	[SUSPEND_HOLDING] = { "holding", tick_holding },
	[SUSPEND_HOOK] = { "hook", NULL },
	[SUSPEND_DRAFTING] = { "drafting", suspend_report },
	[SUSPEND_SAVING] = { "saving", tick_saving },
	[SUSPEND_FINDING] = { "finding", tick_finding },
	[SUSPEND_PUBLISHING] = { "publishing", tick_publishing },
	[SUSPEND_CONTINUING] = { "continuing", tick_continuing },
};

void suspend_tick(struct microvm *vm, int64_t mono_ms)
{
	struct suspend *s = vm->lifecycle ? vm->lifecycle->suspend : NULL;

	if (s && phases[s->phase].tick)
		phases[s->phase].tick(vm, s, mono_ms);
}

struct suspend_progress suspend_progress(const struct microvm *vm)
{
	const struct suspend *s = vm->lifecycle ? vm->lifecycle->suspend : NULL;

	if (!s)
		return (struct suspend_progress){ 0 };
	return (struct suspend_progress){
		.phase = phases[s->phase].name,
		.bytes_written = s->written,
		.bytes_total = s->total,
		.error = *s->failure.text ? s->failure.text : NULL,
	};
}

/* After a restart of control the machine may still be writing the draft of the earlier control.  So
 * the new save gets a draft of its own, which the machine refuses while it is busy. */
void suspend_adopt(struct microvm *vm)
{
	if (suspend_of(vm)->phase == SUSPEND_NONE)
		on_enter_suspending(vm, VM_RUNNING);
}

/* The ends. */

void on_enter_suspended(struct microvm *vm, enum vm_state from)
{
	struct lifecycle *l = lifecycle_of(vm);

	(void)from;
	suspend_enter(vm, SUSPEND_NONE);
	if (vm->machine)
		machine_end(vm->machine, NULL, NULL);
	vm->machine = NULL;
	guest_role_sleep(vm);
	checkpoint_remove_below(vm, vm->checkpoint);
	routes_push(vm);
	admission_wake(vm->ctl);
	waiters_notify(&l->suspends, 0, NULL);
	if (l->wake)
		lifecycle_event(vm, EV_RESUME, NULL);
}

void on_suspend_failed(struct microvm *vm, enum vm_state from)
{
	struct suspend *s = suspend_of(vm);
	struct lifecycle *l = vm->lifecycle;
	bool full = s->failure.kind == ERR_CAPACITY;
	struct err e;

	(void)from;
	model_set_drained(vm, false);
	suspend_enter(vm, SUSPEND_NONE);
	err_set(&e, s->failure.kind, "The MicroVM %s could not be suspended and runs on: %.512s%s",
		vm->id, s->failure.text,
		full ? ". Free some space on the disk of the data directory, then try again." : "");
	routes_push(vm);
	routes_release(vm);
	waiters_notify(&l->suspends, -1, &e);
	waiters_notify(&l->resumes, 0, NULL);
	l->wake = false;
}

void on_step_refused(struct microvm *vm, enum vm_event event, const struct err *e)
{
	struct lifecycle *l = lifecycle_of(vm);

	if (event == EV_TERMINATE) {
		waiters_notify(&l->ends, -1, e);
		return;
	}
	suspend_of(vm)->failure = *e;
	model_set_drained(vm, false);
	l->wake = false; /* it runs */
	routes_release(vm);
	waiters_notify(&l->suspends, -1, e);
	waiters_notify(&l->resumes, 0, NULL);
}
