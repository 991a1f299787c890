#include "control/microvm/awake.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/policy.h"
#include "control/microvm/start.h"
#include "control/store/store.h"

#define AWAKE_LOOK_MS 5000

static void awake_seen(struct machine *m, int rc, const struct ipc_msg *answer, const struct err *e)
{
	struct microvm *vm = m->owner;

	(void)answer;
	(void)e;
	/* It may have another owner since it was asked. */
	if (!rc && m->ops == &microvm_machine_ops && vm->machine == m)
		policy_note_cpu(vm, m->cpu_ns, clock_boot_ms());
}

void awake_tick(struct microvm *vm, int64_t boot_ms)
{
	if (!vm->awake.signs.cpu_percent || vm->state != VM_RUNNING || !vm->machine ||
	    !vm->idle.given || boot_ms - vm->work.asked_ms < AWAKE_LOOK_MS)
		return;
	vm->work.asked_ms = boot_ms;
	machine_stats(vm->machine, awake_seen);
}

/* It lasts until the row is durable. */
struct awake_change {
	struct control *ctl;
	char id[MICROVM_ID_SIZE];
	json_t *before; /* owned; NULL: it had none */
	change_done *done;
	void *arg;
};

/* It acts only when it is durable.  Meanwhile a step of the microVM may have written the row, with
 * these parameters. */
static void awake_committed(void *arg, int rc, const struct err *e)
{
	struct awake_change *c = arg;
	struct microvm *vm = model_microvm(c->ctl, c->id);

	if (vm && rc)
		model_put_awake(vm, c->before);
	else
		json_decref(c->before);
	if (vm && !rc)
		model_read_awake(c->ctl->conf, vm);
	c->done(c->arg, rc, e);
	free(c);
}

/* While its row is on its way to the store, a second change would be overtaken by it. */
static int awake_may_change(struct microvm *vm, struct err *e)
{
	if (vm->state == VM_TERMINATED)
		return err_set(e, ERR_CONFLICT, "The MicroVM %s has ended.", vm->id);
	if (lifecycle_of(vm)->committing)
		return err_set(e, ERR_CONFLICT, "The MicroVM %s is changing its state: try again.",
			       vm->id);
	return 0;
}

void awake_set(struct microvm *vm, const struct awake *a, change_done *done, void *arg)
{
	struct awake_change *c;
	struct store_txn *t;
	struct err e;

	if (awake_may_change(vm, &e)) {
		done(arg, -1, &e);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->ctl = vm->ctl;
	memcpy(c->id, vm->id, sizeof(c->id));
	c->before = model_take_awake(vm);
	c->done = done;
	c->arg = arg;
	model_put_awake(vm, model_awake_words(a));
	t = store_begin(vm->ctl->store);
	model_put_microvm(t, vm);
	store_commit(t, awake_committed, c);
}
