/* stop.c - what is done when a microVM opens to requests, and when it ends. */

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/admission/admission.h"
#include "control/channels/routes.h"
#include "control/kms/kms.h"
#include "control/microvm/guest_log.h"
#include "control/microvm/guest_role.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/publish.h"
#include "control/microvm/start.h"
#include "control/microvm/suspend.h"
#include "control/microvm/waiters.h"
#include "control/model/connector.h"
#include "control/model/log_stream.h"
#include "control/pool/pool.h"
#include "control/storage/checkpoint.h"

void on_enter_running(struct microvm *vm, enum vm_state from)
{
	struct lifecycle *l = lifecycle_of(vm);

	(void)from;
	l->wake = false;
	model_set_drained(vm, false);
	routes_push(vm);
	waiters_notify(&l->resumes, 0, NULL);
	if (!list_empty(&l->suspends))
		on_suspend_asked(vm); /* it was asked for during the resume */
}

void on_forgotten(struct microvm *vm)
{
	routes_gone(vm);
	if (log_stream_shown(vm->stream)) {
		guest_log_leave(vm);
		log_stream_keep(vm->stream);
	} else {
		guest_log_remove(vm);
	}
}

/* A machine that is being cleared.  Its microVM may be gone before that: if its application has
 * ended too, it is TERMINATED at once, and may be deleted. */
struct stop {
	struct control *ctl;
	char id[MICROVM_ID_SIZE];
};

static void stop_cleared(void *arg)
{
	struct stop *s = arg;
	struct microvm *vm = model_microvm(s->ctl, s->id);

	free(s);
	if (vm)
		lifecycle_event_durable(vm, EV_EXITED, NULL);
}

static void stop_machine(struct microvm *vm)
{
	struct machine *m = vm->machine;
	struct stop *s;

	vm->machine = NULL;
	if (!m) {
		lifecycle_event_durable(vm, EV_EXITED, NULL);
		return;
	}
	s = xcalloc(1, sizeof(*s));
	s->ctl = vm->ctl;
	memcpy(s->id, vm->id, sizeof(s->id));
	machine_end(m, stop_cleared, s);
}

static void stop_hooked(struct machine *m, enum agent_outcome outcome, unsigned status)
{
	struct microvm *vm = m->owner;
	const struct hooks *hooks = &vm->version->hooks;
	autofree char *why = hook_failure(HOOK_TERMINATE, outcome, status,
					  hooks->each[HOOK_TERMINATE].timeout_ms, hooks->port);

	if (why) /* the microVM ends all the same */
		log_info("microVM id=%s hook=terminate answer=\"%s\"", vm->id, why);
	stop_machine(vm);
}

/* Answers everybody who waits, and gives up everything that is under way. */
static void stop_all(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);

	start_cancel(vm);
	suspend_free(vm);
	l->wake = false;
	routes_push(vm);
	waiters_notify(&l->ends, 0, NULL);
	waiters_notify_ended(vm, &l->suspends);
	waiters_notify_ended(vm, &l->resumes);
}

void on_enter_terminating(struct microvm *vm, enum vm_state from)
{
	stop_all(vm);
	if (from == VM_RUNNING && vm->machine && hook_wanted(vm, HOOK_TERMINATE))
		machine_hook(vm->machine, HOOK_TERMINATE, NULL, stop_hooked);
	else
		stop_machine(vm);
}

void on_enter_terminated(struct microvm *vm, enum vm_state from)
{
	struct machine *m = vm->machine;

	(void)from;
	vm->machine = NULL;
	if (m)
		machine_end(m, NULL, NULL);
	publish_end(vm);
	checkpoint_remove_all(vm);
	guest_log_close(vm);
	guest_role_end(vm);
	model_hold(vm, -1);
	stop_all(vm);
	admission_wake(vm->ctl);
	pool_wake(vm->ctl);
}
