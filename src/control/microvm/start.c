/* start.c - from a row to a guest that knows who it is: run and resume.
 *
 *   run:     [lifecycle_run.c: room, row] slot, template, machine or spare, RESTORE, or a clone's
 *            CONTINUE,
 *   resume:  room, slot, template, machine, RESTORE from the save,
 *   both:    RESUMED, ACK, hook /run or /resume, then EV_STARTED or EV_RESUMED. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/channels/routes.h"
#include "control/microvm/guest_log.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/pool/pool.h"
#include "control/pool/spares.h"
#include "control/storage/checkpoint.h"

#define START_ACK_MS      60000
#define START_CONTINUE_MS 10000

static char *start_run_body(const struct microvm *vm)
{
	const char *payload = json_string_value(json_object_get(vm->params, "runHookPayload"));
	json_t *body = json_pack("{s:s,s:s}", "microvmId", vm->id, "runHookPayload",
				 payload ? payload : "");
	char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	return text;
}

/* The end of the way, good or bad. */

void start_cancel(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);

	admission_leave(&l->ticket);
	template_leave(&l->wait);
	vm->starting = false;
}

/* A resume that failed leaves the save as it was: who waits hears why, who comes later tries again.
 */
static void start_stay_suspended(struct microvm *vm, const char *why)
{
	struct lifecycle *l = lifecycle_of(vm);
	struct err e = l->failure;

	if (!*e.text)
		err_set(&e, ERR_INTERNAL, "The MicroVM could not be resumed: %s", why);
	routes_refuse(vm);
	l->wake = false;
	waiters_notify(&l->resumes, -1, &e);
	waiters_notify(&l->suspends, 0, NULL);
}

void start_failed(struct microvm *vm, const char *why)
{
	struct machine *m = vm->machine;
	autofree char *reason = NULL;

	log_warn("a microVM did not start id=%s error=\"%s\"", vm->id, why);
	start_cancel(vm);
	vm->machine = NULL;
	if (m)
		machine_end(m, NULL, NULL);
	if (vm->state == VM_SUSPENDED) {
		start_stay_suspended(vm, why);
		return;
	}
	reason = xasprintf("The MicroVM could not be started: %s", why);
	lifecycle_event_durable(vm, EV_EXITED, reason);
}

static void start_done(struct microvm *vm)
{
	/* The slot is the next one's as soon as the guest answers. */
	start_cancel(vm);
	lifecycle_event(vm, vm->state == VM_PENDING ? EV_STARTED : EV_RESUMED, NULL);
}

static void start_hooked(struct machine *m, enum agent_outcome outcome, unsigned status)
{
	struct microvm *vm = m->owner;
	const struct hooks *hooks = &vm->version->hooks;
	enum hook hook = vm->state == VM_PENDING ? HOOK_RUN : HOOK_RESUME;
	autofree char *why =
		hook_failure(hook, outcome, status, hooks->each[hook].timeout_ms, hooks->port);

	if (!why) {
		start_done(vm);
		return;
	}
	start_cancel(vm);
	lifecycle_event_durable(vm, vm->state == VM_PENDING ? EV_EXITED : EV_TERMINATE, why);
}

static void start_acked(struct machine *m, int rc, const struct ipc_msg *answer,
			const struct err *e)
{
	struct microvm *vm = m->owner;
	enum hook hook = vm->state == VM_PENDING ? HOOK_RUN : HOOK_RESUME;
	autofree char *body = NULL;

	(void)answer;
	if (rc) {
		start_failed(vm, e->text);
		return;
	}
	if (!hook_wanted(vm, hook)) {
		/* Nothing is lost if the row of this step is: a restart finds the machine and asks
		 * it again.  A resume is different: there the save would win. */
		if (vm->state == VM_PENDING)
			routes_open_early(vm);
		start_done(vm);
		return;
	}
	if (hook == HOOK_RUN)
		body = start_run_body(vm);
	machine_hook(m, hook, body, start_hooked);
}

void start_identity(struct microvm *vm)
{
	machine_resumed(vm->machine, vm->id, START_ACK_MS, start_acked);
}

/* A machine from files. */

/* An image's snapshot that is refused for what this host is; a save's has no such remedy. */
static void start_refused(struct microvm *vm, const struct err *e)
{
	autofree char *why = NULL;

	lifecycle_of(vm)->failure = *e;
	if (e->kind == ERR_CONFLICT && vm->state == VM_PENDING)
		why = xasprintf("%s. 'doze image rebuild %s' makes a version for this host.",
				e->text, vm->version->image->name);
	start_failed(vm, why ? why : e->text);
}

static void start_restored(struct machine *m, int rc, const struct ipc_msg *answer,
			   const struct err *e)
{
	(void)answer;
	if (rc)
		start_refused(m->owner, e);
	else
		start_identity(m->owner);
}

static void start_up(struct machine *m, enum machine_run run)
{
	struct microvm *vm = m->owner;

	(void)run;
	template_restore(template_of(vm->ctl, vm->version), m, vm,
			 vm->state == VM_SUSPENDED ? vm->checkpoint : 0, start_restored);
}

static void start_down(struct machine *m, const char *reason)
{
	struct microvm *vm = m->owner;
	struct lifecycle *l = lifecycle_of(vm);

	vm->machine = NULL; /* it is clearing itself */
	if (l->saved || l->binding)
		return; /* as it should, or run_committed sees it */
	if (vm->starting)
		start_failed(vm, reason);
	else
		lifecycle_event_durable(vm, EV_EXITED, reason);
}

static void start_exited(struct machine *m, unsigned code)
{
	autofree char *why = xasprintf("Container Stopped with Exit Code: %u", code);
	struct microvm *vm = m->owner;

	if (vm->starting)
		start_cancel(vm);
	/* A resume that ends so has come too far to go back to the save. */
	lifecycle_event_durable(vm, vm->state == VM_SUSPENDED ? EV_TERMINATE : EV_EXITED, why);
}

const struct machine_ops microvm_machine_ops = { start_up, start_down, guest_log_write,
						 start_exited, suspend_found };

static void start_loaded(struct template_wait *w, int rc, const struct err *e)
{
	struct lifecycle *l = container_of(w, struct lifecycle, wait);
	struct microvm *vm = l->vm;

	if (rc) {
		start_failed(vm, e->text);
		return;
	}
	if (!vm->machine && vm->state == VM_SUSPENDED) /* bound in memory alone */
		vm->machine =
			spares_take(vm->ctl, vm->version, vm->internet, &microvm_machine_ops, vm);
	l->spare = false;
	if (vm->machine) {
		memcpy(vm->machine_id, vm->machine->id, sizeof(vm->machine_id));
		start_up(vm->machine, MACHINE_EMPTY);
		return;
	}
	vm->machine = machine_start(vm->ctl, vm->version, vm->machine_id, vm->internet,
				    &microvm_machine_ops, vm);
}

static void start_slot(struct admission_ticket *ticket, int rc, const struct err *e)
{
	struct microvm *vm = container_of(ticket, struct lifecycle, ticket)->vm;

	(void)rc; /* a slot is never refused */
	(void)e;
	template_load(template_of(vm->ctl, vm->version), &lifecycle_of(vm)->wait, start_loaded);
}

static void start_room(struct admission_ticket *ticket, int rc, const struct err *e)
{
	struct microvm *vm = container_of(ticket, struct lifecycle, ticket)->vm;

	if (rc) {
		lifecycle_of(vm)->failure = *e;
		start_failed(vm, e->text);
	} else {
		admission_wait_slot(vm->ctl, ticket, ADMISSION_MICROVM, start_slot);
	}
}

void start_bind(struct microvm *vm)
{
	machine_new_id(vm->machine_id);
	memcpy(vm->boot_id, vm->ctl->boot_id, sizeof(vm->boot_id));
}

void start_machine(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);

	vm->starting = true;
	l->saved = false;
	l->failure = (struct err){ 0 };
	if (model_runs_here(vm->ctl, vm->version, &l->failure))
		start_failed(vm, l->failure.text);
	else if (l->ticket.has_memory)
		admission_wait_slot(vm->ctl, &l->ticket, ADMISSION_MICROVM, start_slot);
	else
		admission_wait_memory(vm->ctl, &l->ticket,
				      template_cost(template_of(vm->ctl, vm->version)),
				      vm->ctl->conf->capacity_wait_ms, start_room);
}

void start_again(struct microvm *vm)
{
	struct store_txn *t = store_begin(vm->ctl->store);

	start_bind(vm);
	model_put_microvm(t, vm);
	store_commit(t, NULL, NULL);
	start_machine(vm);
}

void on_resume(struct microvm *vm, enum vm_state from)
{
	struct lifecycle *l = lifecycle_of(vm);

	(void)from;
	if (vm->starting || vm->machine)
		return;
	l->wake = false;
	/* Bound in memory alone: while the row says SUSPENDED the save is the truth. */
	start_bind(vm);
	start_machine(vm);
	routes_push(vm);
}
