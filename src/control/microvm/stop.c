/* stop.c - a microVM that runs, and one that ends. */

#include "base/clock.h"
#include "base/log.h"
#include "control/channels/routes.h"
#include "control/microvm/guest_log.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/pool/pool.h"
#include "control/storage/checkpoint.h"

void on_enter_running(struct microvm *vm, enum vm_state from)
{
	struct lifecycle *l = lifecycle_of(vm);

	(void)from;
	l->wake = false;
	routes_push(vm);
	waiters_notify(&l->resumes, 0, NULL);
	if (!list_empty(&l->suspends))
		suspend_begin(vm); /* asked for while it woke */
}

static void end_cleared(void *arg)
{
	lifecycle_event_durable(arg, EV_EXITED, NULL);
}

static void end_machine(struct microvm *vm)
{
	struct machine *m = vm->machine;

	vm->machine = NULL;
	if (m)
		machine_end(m, end_cleared, vm);
	else
		end_cleared(vm);
}

static void end_hooked(struct machine *m, enum agent_outcome outcome, unsigned status)
{
	struct microvm *vm = m->owner;
	const struct hooks *hooks = &vm->version->hooks;
	autofree char *why = hook_failure(HOOK_TERMINATE, outcome, status,
					  hooks->each[HOOK_TERMINATE].timeout_ms, hooks->port);

	if (why) /* it ends all the same */
		log_info("microVM id=%s hook=terminate answer=\"%s\"", vm->id, why);
	end_machine(vm);
}

void on_enter_terminating(struct microvm *vm, enum vm_state from)
{
	struct lifecycle *l = lifecycle_of(vm);

	start_cancel(vm);
	l->holding = false;
	l->wake = false;
	routes_push(vm);
	waiters_notify(&l->ends, 0, NULL);
	waiters_notify_ended(vm, &l->suspends);
	waiters_notify_ended(vm, &l->resumes);
	if (from == VM_RUNNING && vm->machine && hook_wanted(vm, HOOK_TERMINATE))
		machine_hook(vm->machine, HOOK_TERMINATE, NULL, end_hooked);
	else
		end_machine(vm);
}

void on_enter_terminated(struct microvm *vm, enum vm_state from)
{
	struct lifecycle *l = lifecycle_of(vm);
	struct machine *m = vm->machine;

	(void)from;
	start_cancel(vm);
	vm->machine = NULL;
	if (m)
		machine_end(m, NULL, NULL);
	if (!l->publishing) /* else suspend_published does it */
		checkpoint_remove_all(vm);
	routes_push(vm);
	guest_log_close(vm);
	vm->version->n_microvms--;
	waiters_notify(&l->ends, 0, NULL);
	waiters_notify_ended(vm, &l->suspends);
	waiters_notify_ended(vm, &l->resumes);
	admission_wake(vm->ctl);
	pool_wake(vm->ctl);
}
