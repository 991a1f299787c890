/* run.c - RunMicrovm: it takes a clone, or waits for memory and takes a spare if there is one; then
 * it makes the row durable, answers, and starts the machine. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/channels/routes.h"
#include "control/events/events.h"
#include "control/microvm/guest_log.h"
#include "control/microvm/lifecycle.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/policy.h"
#include "control/microvm/start.h"
#include "control/model/connector.h"
#include "control/model/sealing.h"
#include "control/pool/pool.h"
#include "control/pool/spares.h"
#include "control/store/store.h"

/* It lasts until the row is durable. */
struct run {
	struct microvm *vm;
	struct store_txn *with;
	change_done *made;
	void *arg;
	bool clone, spare; /* what the machine is, or what it was if it has died */
};

static void run_fail(struct run *r, const struct err *e)
{
	struct microvm *vm = r->vm;

	vm->lifecycle->run = NULL;
	if (vm->machine && r->spare)
		spares_give_back(vm->machine);
	else if (vm->machine)
		pool_give_back(vm->machine);
	model_hold(vm, -1);
	if (vm->lifecycle->log)
		guest_log_remove(vm);
	lifecycle_free(vm);
	r->made(r->arg, -1, e);
	free(r);
}

static void run_committed(void *arg, int rc, const struct err *e)
{
	struct run *r = arg;
	struct microvm *vm = r->vm;
	struct run now = *r;

	if (rc) {
		run_fail(r, e);
		return;
	}
	free(r);
	vm->lifecycle->run = NULL;
	model_add_microvm(vm);
	events_changed(vm->ctl, &(struct event_change){ vm->account, "MicroVM", vm->id, NULL,
							vm_state_name[vm->state], NULL });
	policy_begin(vm, clock_wall_ms(), clock_boot_ms());
	vm->starting = true;
	if (vm->machine && now.clone)
		start_paused(vm);
	routes_push(vm);
	now.made(now.arg, 0, NULL);
	if ((vm->machine && now.clone) || vm->state != VM_PENDING || vm->lifecycle->committing)
		return;
	if ((now.clone || now.spare) && !vm->machine)
		start_again(vm); /* the machine that the row names has died */
	else
		start_machine(vm);
}

static void run_commit(struct run *r)
{
	struct microvm *vm = r->vm;
	struct store_txn *t = r->with ? r->with : store_begin(vm->ctl->store);

	model_put_microvm(t, vm);
	store_commit(t, run_committed, r);
}

/* The spare keeps its id, and the row gets it. */
static void run_take_spare(struct run *r)
{
	struct microvm *vm = r->vm;

	vm->machine = spares_take(vm->ctl, vm->version, vm->internet, &microvm_machine_ops, vm);
	if (!vm->machine)
		return;
	memcpy(vm->machine_id, vm->machine->id, sizeof(vm->machine_id));
	r->spare = true;
}

static void run_memory(struct admission_ticket *ticket, int rc, const struct err *e)
{
	struct run *r = container_of(ticket, struct start, ticket)->vm->lifecycle->run;

	if (!rc) {
		run_take_spare(r);
		run_commit(r);
		return;
	}
	store_drop(r->with);
	run_fail(r, e);
}

static int run_allowed(const struct control *ctl, const struct microvm *vm, struct err *e)
{
	if (ctl->draining)
		return err_set(e, ERR_CAPACITY, "doze is being stopped: no MicroVM can start now.");
	return sealing_allows(vm, e);
}

void lifecycle_run(struct control *ctl, struct microvm *vm, struct store_txn *with,
		   change_done *made, void *arg)
{
	struct run *r = xcalloc(1, sizeof(*r));
	struct err e;

	*r = (struct run){ .vm = vm, .with = with, .made = made, .arg = arg };
	lifecycle_of(vm)->run = r;
	model_hold(vm, 1);
	if (run_allowed(ctl, vm, &e)) {
		store_drop(with);
		run_fail(r, &e);
		return;
	}
	start_bind(vm);
	pool_note_run(ctl, vm->version);
	if (vm->internet)
		vm->machine = pool_take(ctl, vm->version);
	if (vm->machine) {
		memcpy(vm->machine_id, vm->machine->id, sizeof(vm->machine_id));
		machine_own(vm->machine, &microvm_machine_ops, vm);
		r->clone = true;
		run_commit(r);
		return;
	}
	admission_wait_memory(ctl, &start_of(vm)->ticket,
			      template_cost(template_of(ctl, vm->version)),
			      ctl->conf->capacity_wait_ms, run_memory);
}
