/* machine_events.c - what the machine of a microVM does by itself. */

#include "base/clock.h"
#include "control/microvm/guest_log.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/policy.h"
#include "control/microvm/start.h"
#include "control/microvm/suspend.h"

static void machine_up(struct machine *m, enum machine_run run)
{
	(void)run;
	start_on_machine_up(m->owner);
}

static void machine_down(struct machine *m, const char *reason)
{
	struct microvm *vm = m->owner;

	vm->machine = NULL; /* it clears itself */
	if (lifecycle_of(vm)->run)
		return; /* run.c will see it when the row is durable */
	if (vm->state == VM_PENDING && !vm->ctl->adopted)
		return; /* adopt.c starts another one */
	if (vm->starting)
		start_failed(vm, reason);
	else if (!suspend_on_machine_end(vm))
		lifecycle_event_durable(vm, EV_EXITED, reason);
}

static void application_exited(struct machine *m, unsigned code)
{
	autofree char *why = xasprintf("Container Stopped with Exit Code: %u", code);
	struct microvm *vm = m->owner;

	if (lifecycle_of(vm)->run) {
		/* The row of the run is on its way: run.c starts another machine for it. */
		vm->machine = NULL;
		machine_end(m, NULL, NULL);
		return;
	}
	if (vm->starting)
		start_cancel(vm);
	/* A guest that was resumed has run, so its checkpoint is no longer true. */
	lifecycle_event_durable(vm, vm->state == VM_SUSPENDED ? EV_TERMINATE : EV_EXITED, why);
}

static void application_leases(struct machine *m, uint64_t lease_ms)
{
	struct microvm *vm = m->owner;

	if (vm->state == VM_RUNNING)
		policy_note_lease(vm, lease_ms < INT32_MAX ? (int64_t)lease_ms : INT32_MAX,
				  clock_boot_ms());
}

const struct machine_ops microvm_machine_ops = { machine_up,       machine_down,
						 guest_log_write,  application_exited,
						 suspend_on_saved, application_leases };
