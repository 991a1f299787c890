/* run.c - RunMicrovm: room, a clone or a spare if there is one, the durable row, the answer,
 * the start. */

#include <stdlib.h>
#include <string.h>

#include "control/channels/routes.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/pool/pool.h"
#include "control/pool/spares.h"

struct running {
	struct microvm *vm;
	struct store_txn *with;
	lifecycle_done *made;
	void *arg;
};

static void run_fail(struct running *r, const struct err *e)
{
	struct microvm *vm = r->vm;

	admission_leave(&lifecycle_of(vm)->ticket);
	if (vm->machine && lifecycle_of(vm)->spare)
		spares_give_back(vm->machine);
	else if (vm->machine)
		pool_give_back(vm->machine);
	vm->version->n_microvms--;
	lifecycle_free(vm);
	r->made(r->arg, -1, e);
	free(r);
}

static void run_continued(struct machine *m, int rc, const struct ipc_msg *answer,
			  const struct err *e)
{
	(void)answer;
	if (rc)
		start_failed(m->owner, e->text);
}

static void run_committed(void *arg, int rc, const struct err *e)
{
	struct running *r = arg;
	struct microvm *vm = r->vm;
	struct lifecycle *l = lifecycle_of(vm);
	lifecycle_done *made = r->made;
	void *made_arg = r->arg;

	if (rc) {
		run_fail(r, e);
		return;
	}
	free(r);
	list_add(&vm->ctl->microvms, &vm->in_control);
	vm->starting = true;
	l->binding = false;
	if (vm->machine && !l->spare) {
		/* Not one after the other: the guest reads its identity as soon as it runs. */
		machine_simple(vm->machine, MACHINE_CONTINUE, run_continued);
		start_identity(vm);
	}
	routes_push(vm);
	made(made_arg, 0, NULL);
	if ((vm->machine && !l->spare) || vm->state != VM_PENDING || l->committing)
		return;
	if (l->from_pool && !vm->machine)
		start_again(vm); /* it died meanwhile */
	else
		start_machine(vm);
}

static void run_commit(struct running *r)
{
	struct microvm *vm = r->vm;
	struct store_txn *t = r->with ? r->with : store_begin(vm->ctl->store);

	model_put_microvm(t, vm);
	store_commit(t, run_committed, r);
}

/* Under its own name: the row is to say which machine it is. */
static void run_take_spare(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);

	vm->machine = spares_take(vm->ctl, vm->version, vm->internet, &microvm_machine_ops, vm);
	if (!vm->machine)
		return;
	memcpy(vm->machine_id, vm->machine->id, sizeof(vm->machine_id));
	l->binding = l->from_pool = l->spare = true;
}

static void run_room(struct admission_ticket *ticket, int rc, const struct err *e)
{
	struct lifecycle *l = container_of(ticket, struct lifecycle, ticket);
	struct running *r = l->running;

	l->running = NULL;
	if (!rc) {
		run_take_spare(r->vm);
		run_commit(r);
		return;
	}
	store_drop(r->with);
	run_fail(r, e);
}

void lifecycle_run(struct control *ctl, struct microvm *vm, struct store_txn *with,
		   lifecycle_done *made, void *arg)
{
	struct running *r = xcalloc(1, sizeof(*r));
	struct lifecycle *l = lifecycle_of(vm);
	struct err e;

	*r = (struct running){ vm, with, made, arg };
	vm->version->n_microvms++;
	if (ctl->draining) {
		err_set(&e, ERR_CAPACITY, "doze is being stopped: no MicroVM can start now.");
		store_drop(with);
		run_fail(r, &e);
		return;
	}
	if (model_runs_here(ctl, vm->version, &e)) {
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
		l->binding = l->from_pool = true;
		run_commit(r);
		return;
	}
	l->running = r;
	admission_wait_memory(ctl, &l->ticket, template_cost(template_of(ctl, vm->version)),
			      ctl->conf->capacity_wait_ms, run_room);
}
