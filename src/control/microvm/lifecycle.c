/* lifecycle.c - the table of steps, and how a step becomes durable before it is taken.
 *
 * At most one step of a microVM is on its way to the store.  An event that comes meanwhile sets its
 * bit.  The set bits are tried afterwards, in the order of highest_priority_first, and an event
 * that has no step in the new state is dropped. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/events/events.h"
#include "control/microvm/guest_role.h"
#include "control/microvm/lifecycle.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/waiters.h"

/* If a step has no action, it does not exist, and the event is refused in that state. */
static const struct step {
	void (*enter)(struct microvm *vm, enum vm_state from);
	enum vm_state to;
} steps[VM_NUM_STATES][VM_NUM_EVENTS] = {
	/* clang-format off */
	[VM_PENDING] = {
		[EV_STARTED]   = { on_enter_running,     VM_RUNNING },
		[EV_TERMINATE] = { on_enter_terminating, VM_TERMINATING },
		[EV_EXITED]    = { on_enter_terminated,  VM_TERMINATED },
	},
	[VM_RUNNING] = {
		[EV_SUSPEND]   = { on_enter_suspending,  VM_SUSPENDING },
		[EV_TERMINATE] = { on_enter_terminating, VM_TERMINATING },
		[EV_EXITED]    = { on_enter_terminated,  VM_TERMINATED },
	},
	[VM_SUSPENDING] = {
		[EV_SAVED]     = { on_enter_suspended,   VM_SUSPENDED },
		[EV_UNSAVED]   = { on_suspend_failed,    VM_RUNNING },
		[EV_TERMINATE] = { on_enter_terminating, VM_TERMINATING },
		[EV_EXITED]    = { on_enter_terminated,  VM_TERMINATED },
	},
	[VM_SUSPENDED] = {
		[EV_RESUME]    = { on_resume,            VM_SUSPENDED }, /* until the guest answered */
		[EV_RESUMED]   = { on_enter_running,     VM_RUNNING },
		[EV_TERMINATE] = { on_enter_terminating, VM_TERMINATING },
		[EV_EXITED]    = { on_resume_lost,       VM_SUSPENDED }, /* the checkpoint is the truth */
	},
	[VM_TERMINATING] = {
		[EV_EXITED]    = { on_enter_terminated,  VM_TERMINATED },
	},
	/* clang-format on */
};

/* Tried in this order after a step. */
static const enum vm_event highest_priority_first[] = { EV_EXITED,  EV_TERMINATE, EV_SAVED,
							EV_UNSAVED, EV_RESUMED,   EV_STARTED,
							EV_SUSPEND, EV_RESUME };
static_assert(ARRAY_SIZE(highest_priority_first) == VM_NUM_EVENTS, "an event is never tried again");

static void lifecycle_commit(struct microvm *vm, enum vm_event event);

struct lifecycle *lifecycle_of(struct microvm *vm)
{
	struct lifecycle *l = vm->lifecycle;

	if (l)
		return l;
	l = xcalloc(1, sizeof(*l));
	l->vm = vm;
	list_init(&l->suspends);
	list_init(&l->resumes);
	list_init(&l->ends);
	vm->lifecycle = l;
	return l;
}

/* What a step changes in the row besides the state.  It is applied to the copy that is written, and
 * later to the microVM. */
static void lifecycle_apply(struct microvm *vm, const struct lifecycle *l, enum vm_state to)
{
	switch (l->event) {
	case EV_STARTED:
	case EV_RESUMED:
	case EV_UNSAVED: /* not idle again at once */
		vm->suspended_ms = 0;
		vm->last_byte_ms = l->step_wall_ms;
		vm->since.last_byte_ms = l->step_boot_ms;
		break;
	case EV_SAVED:
		vm->checkpoint = l->checkpoint;
		vm->suspended_ms = l->step_wall_ms;
		vm->since.suspended_ms = l->step_boot_ms;
		*vm->machine_id = '\0';
		*vm->boot_id = '\0';
		break;
	case EV_EXITED:
		vm->terminated_ms = l->step_wall_ms;
		vm->since.terminated_ms = l->step_boot_ms;
		vm->checkpoint = 0;
		*vm->machine_id = '\0';
		break;
	case EV_SUSPEND:
	case EV_RESUME:
	case EV_TERMINATE:
	case VM_NUM_EVENTS:
		break;
	}
	vm->state = to; /* nothing else writes this field, except for the load */
}

/* The reason of an end is the first one: that of a terminate, if it was terminated. */
static const char *lifecycle_reason(const struct microvm *vm, const struct lifecycle *l)
{
	if (l->event == EV_TERMINATE)
		return l->why[EV_TERMINATE];
	if (l->event != EV_EXITED || vm->reason)
		return vm->reason;
	return l->why[EV_TERMINATE] ? l->why[EV_TERMINATE] : l->why[EV_EXITED];
}

static void lifecycle_forget_event(struct lifecycle *l, enum vm_event event)
{
	free(l->why[event]);
	l->why[event] = NULL;
	l->durable_events &= ~(1u << event);
}

void lifecycle_drop_event(struct microvm *vm, enum vm_event event)
{
	vm->lifecycle->pending_events &= ~(1u << event);
	lifecycle_forget_event(vm->lifecycle, event);
}

static void lifecycle_retry_pending(struct microvm *vm)
{
	struct lifecycle *l = vm->lifecycle;

	for (size_t i = 0; i < ARRAY_SIZE(highest_priority_first) && !l->committing; i++) {
		enum vm_event event = highest_priority_first[i];

		if (!(l->pending_events & 1u << event))
			continue;
		l->pending_events &= ~(1u << event);
		if (steps[vm->state][event].enter)
			lifecycle_commit(vm, event);
		else
			lifecycle_forget_event(l, event);
	}
}

/* The row could not be written. */
static void lifecycle_not_durable(struct microvm *vm, const struct err *e)
{
	struct lifecycle *l = vm->lifecycle;
	bool must = l->durable_events & 1u << l->event;

	if (l->event == EV_SUSPEND || (l->event == EV_TERMINATE && !must)) {
		lifecycle_forget_event(l, l->event);
		on_step_refused(vm, l->event, e);
	} else {
		l->pending_events |= 1u << l->event; /* lifecycle_tick tries again */
	}
}

static void lifecycle_committed(void *arg, int rc, const struct err *e)
{
	struct microvm *vm = arg;
	struct lifecycle *l = vm->lifecycle;
	enum vm_state from = vm->state;
	enum vm_event event = l->event;
	const struct step *step = &steps[from][event];
	const char *reason = lifecycle_reason(vm, l);
	/* If the disk is full, this row cannot be written either.  The step is taken all the same,
	 * and lifecycle_tick writes the row when there is room.  If control ends before that,
	 * adoption finds the machine alive with its row in SUSPENDING, and saves it then. */
	bool apply_even_if_not_durable = event == EV_UNSAVED;

	l->committing = false;
	l->row_is_old = rc && (l->row_is_old || apply_even_if_not_durable);
	if (rc && !l->reported)
		log_err("a step is not durable id=%s state=%s error=\"%s\"", vm->id,
			vm_state_name[from], e->text);
	l->reported = rc; /* it is tried each second, and said once */
	if (rc && !apply_even_if_not_durable) {
		lifecycle_not_durable(vm, e);
		return;
	}
	lifecycle_apply(vm, l, step->to);
	if (reason != vm->reason) {
		free(vm->reason);
		vm->reason = reason ? xstrdup(reason) : NULL;
	}
	lifecycle_forget_event(l, event);
	log_info("microVM id=%s from=%s to=%s reason=\"%s\"", vm->id, vm_state_name[from],
		 vm_state_name[step->to], vm->reason ? vm->reason : "");
	events_changed(vm->ctl,
		       &(struct event_change){ vm->account, "MicroVM", vm->id, vm_state_name[from],
					       vm_state_name[step->to], vm->reason });
	step->enter(vm, from);
	if (!l->committing)
		lifecycle_retry_pending(vm);
}

static void lifecycle_commit(struct microvm *vm, enum vm_event event)
{
	struct lifecycle *l = vm->lifecycle;
	const struct step *step = &steps[vm->state][event];
	struct store_txn *t;
	struct microvm row = *vm;

	if (step->to == vm->state) {
		lifecycle_forget_event(l, event);
		step->enter(vm, vm->state);
		return;
	}
	l->committing = true;
	l->event = event;
	l->step_wall_ms = clock_wall_ms();
	l->step_boot_ms = clock_boot_ms();
	/* model_put_microvm copies the row, so it may borrow the text. */
	row.reason = (char *)(uintptr_t)lifecycle_reason(vm, l);
	lifecycle_apply(&row, l, step->to);
	t = store_begin(vm->ctl->store);
	model_put_microvm(t, &row);
	store_commit(t, lifecycle_committed, vm);
}

static void lifecycle_rewritten(void *arg, int rc, const struct err *e)
{
	struct microvm *vm = arg;

	(void)e;
	vm->lifecycle->committing = false;
	vm->lifecycle->row_is_old = rc;
	lifecycle_retry_pending(vm);
}

void lifecycle_tick(struct microvm *vm)
{
	struct lifecycle *l = vm->lifecycle;
	struct store_txn *t;

	if (!l || l->committing)
		return;
	lifecycle_retry_pending(vm); /* a step writes the row too */
	if (l->committing || !l->row_is_old)
		return;
	l->committing = true;
	l->event = EV_UNSAVED;
	t = store_begin(vm->ctl->store);
	model_put_microvm(t, vm);
	store_commit(t, lifecycle_rewritten, vm);
}

int lifecycle_step(struct microvm *vm, enum vm_event event, const char *why, struct err *e)
{
	struct lifecycle *l = lifecycle_of(vm);

	if (!l->committing && !steps[vm->state][event].enter)
		return err_set(e, ERR_CONFLICT, "The MicroVM %s is %s.", vm->id,
			       vm_state_name[vm->state]);
	if (why && !l->why[event]) /* the first reason of an event counts */
		l->why[event] = xstrdup(why);
	if (l->committing)
		l->pending_events |= 1u << event;
	else
		lifecycle_commit(vm, event);
	return 0;
}

void lifecycle_event(struct microvm *vm, enum vm_event event, const char *why)
{
	struct err e;

	if (lifecycle_step(vm, event, why, &e))
		log_debug("too late: %s", e.text);
}

void lifecycle_event_durable(struct microvm *vm, enum vm_event event, const char *why)
{
	lifecycle_of(vm)->durable_events |= 1u << event;
	lifecycle_event(vm, event, why);
}

/* How a call is answered. */
enum answer { ANSWER_LATER, ANSWER_DONE, ANSWER_REFUSED };

static void lifecycle_answer(enum answer answer, struct list *waits, const struct err *e,
			     change_done *done, void *arg)
{
	if (answer == ANSWER_LATER)
		waiters_add(waits, done, arg);
	else if (done)
		done(arg, answer == ANSWER_DONE ? 0 : -1, answer == ANSWER_DONE ? NULL : e);
}

/* Before it runs, and after its end.  A call is not too early if the endpoint answers already: who
 * has seen that is not told that the microVM is PENDING. */
static enum answer lifecycle_answer_at_the_ends(const struct microvm *vm, struct err *e)
{
	const struct lifecycle *l = vm->lifecycle;

	if (vm->state == VM_PENDING && l->committing && l->event == EV_STARTED)
		return ANSWER_LATER;
	if (vm->state == VM_PENDING)
		err_set(e, ERR_CONFLICT, "The MicroVM %s is PENDING: wait until it is RUNNING.",
			vm->id);
	else
		waiters_ended(vm, e);
	return ANSWER_REFUSED;
}

static enum answer lifecycle_answer_suspend(const struct microvm *vm, struct err *e)
{
	const struct lifecycle *l = vm->lifecycle;

	if (vm->state == VM_RUNNING && l->adopting) {
		err_set(e, ERR_CAPACITY,
			"The machine of the MicroVM %s has not answered since doze was started: "
			"try again later.",
			vm->id);
		return ANSWER_REFUSED;
	}
	if (vm->state == VM_RUNNING || vm->state == VM_SUSPENDING)
		return ANSWER_LATER;
	if (vm->state == VM_SUSPENDED) /* one that is waking wakes first */
		return vm->starting || vm->machine || l->committing ? ANSWER_LATER : ANSWER_DONE;
	return lifecycle_answer_at_the_ends(vm, e);
}

void lifecycle_suspend(struct microvm *vm, change_done *done, void *arg)
{
	struct lifecycle *l = lifecycle_of(vm);
	struct err e;
	enum answer answer = lifecycle_answer_suspend(vm, &e);

	lifecycle_answer(answer, &l->suspends, &e, done, arg);
	if (answer == ANSWER_LATER && (vm->state == VM_RUNNING || vm->state == VM_SUSPENDING))
		on_suspend_asked(vm);
}

static enum answer lifecycle_answer_resume(const struct microvm *vm, struct err *e)
{
	const struct lifecycle *l = vm->lifecycle;

	if (vm->state == VM_RUNNING)
		return l->committing && l->event == EV_SUSPEND ? ANSWER_LATER : ANSWER_DONE;
	if (vm->state == VM_SUSPENDING || vm->state == VM_SUSPENDED)
		return ANSWER_LATER;
	return lifecycle_answer_at_the_ends(vm, e);
}

void lifecycle_resume(struct microvm *vm, change_done *done, void *arg)
{
	struct lifecycle *l = lifecycle_of(vm);
	struct err e;
	enum answer answer = lifecycle_answer_resume(vm, &e);

	lifecycle_answer(answer, &l->resumes, &e, done, arg);
	if (answer != ANSWER_LATER || vm->state == VM_PENDING)
		return;
	l->wake = true;
	if (vm->state == VM_SUSPENDED && !vm->starting)
		lifecycle_event(vm, EV_RESUME, NULL);
}

void lifecycle_terminate(struct microvm *vm, const char *reason, change_done *done, void *arg)
{
	if (vm->state == VM_TERMINATING || vm->state == VM_TERMINATED) {
		if (done)
			done(arg, 0, NULL);
		return;
	}
	waiters_add(&lifecycle_of(vm)->ends, done, arg);
	lifecycle_event(vm, EV_TERMINATE, reason);
}

void lifecycle_forget(struct microvm *vm)
{
	on_forgotten(vm);
	lifecycle_free(vm);
}

void lifecycle_free(struct microvm *vm)
{
	struct lifecycle *l = vm->lifecycle;

	if (l) {
		start_free(vm);
		suspend_free(vm);
		guest_role_free(vm);
		for (size_t i = 0; i < VM_NUM_EVENTS; i++)
			free(l->why[i]);
	}
	free(l);
	model_microvm_free(vm);
}
