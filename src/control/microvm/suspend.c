/* suspend.c - from RUNNING to a save on disk.
 *
 *   HOLD (the proxy holds new requests; an idle suspend first hears the last byte), EV_SUSPEND,
 *   hook /suspend, draft, MACHINE_SAVE, publish, EV_SAVED; or CONTINUE and EV_UNSAVED. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/channels/routes.h"
#include "control/microvm/expiry.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/storage/checkpoint.h"

#define SUSPEND_HELD_MS 2000 /* for the proxy's answer; without one our own clock decides */

#define SUSPEND_DRAFT(vm)       ((vm)->checkpoint + 1)
#define SUSPEND_DRAFT_AGAIN(vm) ((vm)->checkpoint + 2)

static void suspend_machine(struct microvm *vm);

void suspend_begin(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);

	if (vm->state != VM_RUNNING || (l->committing && l->event == EV_SUSPEND))
		return; /* it is on its way */
	l->holding = false;
	routes_hold(vm);
	lifecycle_event(vm, EV_SUSPEND, NULL);
}

void suspend_idle(struct microvm *vm, int64_t now)
{
	struct lifecycle *l = lifecycle_of(vm);

	if (l->holding || l->committing)
		return;
	l->holding = true;
	l->held_ms = now;
	routes_hold(vm);
}

static void suspend_decide(struct microvm *vm, int64_t now)
{
	lifecycle_of(vm)->holding = false;
	if (vm->state == VM_RUNNING && expiry_idle(vm, now))
		suspend_begin(vm);
	else
		routes_release(vm);
}

void suspend_held(struct microvm *vm, int64_t last_byte_ms)
{
	if (last_byte_ms > vm->last_byte_ms)
		vm->last_byte_ms = last_byte_ms;
	if (lifecycle_of(vm)->holding)
		suspend_decide(vm, clock_wall_ms());
}

void suspend_tick(struct microvm *vm, int64_t now)
{
	struct lifecycle *l = vm->lifecycle;

	if (l && l->holding && now - l->held_ms > SUSPEND_HELD_MS)
		suspend_decide(vm, now);
	if (l && l->again && vm->machine && vm->state == VM_SUSPENDING)
		suspend_machine(vm);
}

void on_step_refused(struct microvm *vm, enum vm_event event, const struct err *e)
{
	struct lifecycle *l = lifecycle_of(vm);

	if (event == EV_TERMINATE) {
		waiters_notify(&l->ends, -1, e);
		return;
	}
	routes_release(vm);
	waiters_notify(&l->suspends, -1, e);
	waiters_notify(&l->resumes, 0, NULL); /* it runs */
}

/* What cannot be saved runs on; its callers hear why. */
static void suspend_failed(struct microvm *vm, const struct err *e)
{
	struct lifecycle *l = lifecycle_of(vm);

	log_err("a microVM could not be saved id=%s error=\"%s\"", vm->id, e->text);
	checkpoint_drop_draft(vm, l->draft);
	l->failure = *e;
	lifecycle_event_durable(vm, EV_UNSAVED, NULL);
}

static void suspend_continued(struct machine *m, int rc, const struct ipc_msg *answer,
			      const struct err *e)
{
	struct microvm *vm = m->owner;

	(void)answer;
	if (!rc) {
		lifecycle_event_durable(vm, EV_UNSAVED, NULL);
		return;
	}
	log_err("a microVM does not run on id=%s error=\"%s\"", vm->id, e->text);
	lifecycle_event_durable(vm, EV_EXITED,
				"The MicroVM could be neither suspended nor continued.");
}

static void suspend_published(void *arg, int rc)
{
	struct microvm *vm = arg;
	struct lifecycle *l = lifecycle_of(vm);

	l->publishing = NULL;
	if (vm->state != VM_SUSPENDING) {
		checkpoint_remove_all(vm); /* it ended meanwhile */
		return;
	}
	if (!rc) {
		lifecycle_event(vm, EV_SAVED, NULL);
		return;
	}
	log_err("a save is not durable id=%s error=\"%s\"", vm->id, strerror(-rc));
	checkpoint_drop_draft(vm, l->draft);
	lifecycle_event_durable(vm, EV_EXITED, "The MicroVM's state could not be written to disk.");
}

static void suspend_note(const struct microvm *vm, const struct machine_saved *saved)
{
	log_info("saved id=%s state_bytes=%llu memory_bytes=%llu disk_bytes=%llu paused_us=%llu",
		 vm->id, (unsigned long long)saved->state_bytes,
		 (unsigned long long)saved->memory_bytes, (unsigned long long)saved->disk_bytes,
		 (unsigned long long)saved->paused_us);
}

void suspend_publish(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);
	struct err e;

	l->saved = true;
	l->again = false;
	l->publishing = checkpoint_publish(vm, l->draft, suspend_published, vm, &e);
	if (l->publishing)
		return;
	log_err("%s", e.text);
	suspend_published(vm, -EIO);
}

void suspend_found(struct machine *m, const struct machine_saved *saved)
{
	struct microvm *vm = m->owner;
	struct lifecycle *l = lifecycle_of(vm);

	if (vm->state != VM_SUSPENDING || l->publishing)
		return;
	checkpoint_drop_draft(vm, SUSPEND_DRAFT_AGAIN(vm));
	l->draft = SUSPEND_DRAFT(vm);
	suspend_note(vm, saved);
	suspend_publish(vm);
}

static void suspend_done(struct machine *m, int rc, const struct ipc_msg *answer,
			 const struct err *e)
{
	struct microvm *vm = m->owner;
	struct lifecycle *l = lifecycle_of(vm);

	if (!rc) {
		checkpoint_drop_draft(vm, SUSPEND_DRAFT(vm) == l->draft ? SUSPEND_DRAFT_AGAIN(vm)
									: SUSPEND_DRAFT(vm));
		suspend_note(vm, (const void *)answer->body);
		suspend_publish(vm);
		return;
	}
	log_err("a microVM could not be saved id=%s error=\"%s\"", vm->id, e->text);
	checkpoint_drop_draft(vm, l->draft);
	l->again = l->draft == SUSPEND_DRAFT_AGAIN(vm) && e->kind == ERR_CONFLICT;
	if (l->again)
		return; /* suspend_tick, if suspend_found does not come before */
	l->failure = *e;
	machine_simple(m, MACHINE_CONTINUE, suspend_continued);
}

static void suspend_machine(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);
	const struct machine_none none = { 0 };
	int fds[SAVE_NUM_FDS];
	struct err e;

	/* After a restart the draft before may still be written to. */
	l->draft = l->adopted ? SUSPEND_DRAFT_AGAIN(vm) : SUSPEND_DRAFT(vm);
	l->again = false;
	if (checkpoint_draft(vm, l->draft, fds, &e)) {
		suspend_failed(vm, &e);
		return;
	}
	machine_ask(vm->machine, MACHINE_SAVE, &none, fds, SAVE_NUM_FDS, suspend_done);
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		fd_close(&fds[i]);
}

static void suspend_hooked(struct machine *m, enum agent_outcome outcome, unsigned status)
{
	struct microvm *vm = m->owner;
	const struct hooks *hooks = &vm->version->hooks;
	autofree char *why = hook_failure(HOOK_SUSPEND, outcome, status,
					  hooks->each[HOOK_SUSPEND].timeout_ms, hooks->port);

	if (why)
		lifecycle_event_durable(vm, EV_TERMINATE, why);
	else
		suspend_machine(vm);
}

void on_enter_suspending(struct microvm *vm, enum vm_state from)
{
	struct lifecycle *l = lifecycle_of(vm);

	(void)from;
	routes_push(vm);
	if (!vm->machine)
		return; /* it died meanwhile: EV_EXITED comes next */
	/* Paused: found so after a restart, its hook was answered before. */
	if (hook_wanted(vm, HOOK_SUSPEND) && vm->machine->run != MACHINE_PAUSED)
		machine_hook(vm->machine, HOOK_SUSPEND, NULL, suspend_hooked);
	else
		suspend_machine(vm);
	l->failure = (struct err){ 0 };
}

void on_enter_suspended(struct microvm *vm, enum vm_state from)
{
	struct lifecycle *l = lifecycle_of(vm);

	(void)from;
	if (vm->machine)
		machine_end(vm->machine, NULL, NULL);
	vm->machine = NULL;
	l->saved = false;
	checkpoint_remove(vm, l->old_checkpoint);
	for (int64_t n = l->old_checkpoint + 1; n <= l->old_checkpoint + 2; n++)
		checkpoint_drop_draft(vm, n); /* of a try that a restart cut short */
	l->adopted = false;
	routes_push(vm);
	admission_wake(vm->ctl);
	waiters_notify(&l->suspends, 0, NULL);
	if (l->wake)
		lifecycle_event(vm, EV_RESUME, NULL);
	else
		expiry_look(vm, clock_wall_ms());
}

void on_suspend_failed(struct microvm *vm, enum vm_state from)
{
	struct lifecycle *l = lifecycle_of(vm);
	bool full = l->failure.kind == ERR_CAPACITY;
	struct err e;

	(void)from;
	err_set(&e, l->failure.kind, "The MicroVM %s could not be suspended and runs on: %.512s%s",
		vm->id, l->failure.text,
		full ? ". Free some space on the disk of the data directory, then try again." : "");
	routes_push(vm);
	routes_release(vm);
	waiters_notify(&l->suspends, -1, &e);
	waiters_notify(&l->resumes, 0, NULL);
	l->wake = false;
	l->adopted = false;
}
