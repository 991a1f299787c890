#include "lifecycle_world.h"
#include "control/events/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "control/microvm/guest_role.h"
#include <cmocka.h>

const char *const vm_state_name[VM_NUM_STATES] = { "PENDING",   "RUNNING",     "SUSPENDING",
						   "SUSPENDED", "TERMINATING", "TERMINATED" };

/* The world: what the last step did, and a store that answers when it is told to. */
const char *did;
enum vm_state did_from;
struct fake_store store;

#define FAKE(name)                                        \
	void name(struct microvm *vm, enum vm_state from) \
	{                                                 \
		(void)vm;                                 \
		did = #name;                              \
		did_from = from;                          \
	}                                                 \
	struct microvm /* takes the ; */

FAKE(on_enter_running);
FAKE(on_enter_suspending);
FAKE(on_enter_suspended);
FAKE(on_suspend_failed);
FAKE(on_resume);
FAKE(on_resume_lost);
FAKE(on_enter_terminating);
FAKE(on_enter_terminated);

void events_changed(struct control *c, const struct event_change *change)
{
	(void)c;
	(void)change;
}

void on_step_refused(struct microvm *vm, enum vm_event event, const struct err *e)
{
	(void)vm;
	(void)event;
	(void)e;
	did = "on_step_refused";
}

void on_suspend_asked(struct microvm *vm)
{
	lifecycle_event(vm, EV_SUSPEND, NULL);
}

void start_free(struct microvm *vm)
{
	(void)vm;
}

void suspend_free(struct microvm *vm)
{
	(void)vm;
}

void guest_role_free(struct microvm *vm)
{
	(void)vm;
}

void on_forgotten(struct microvm *vm)
{
	(void)vm;
}

void model_microvm_free(struct microvm *vm)
{
	free(vm->reason);
	free(vm);
}

struct store_txn *store_begin(struct store *s)
{
	return (struct store_txn *)s;
}

void model_put_microvm(struct store_txn *t, const struct microvm *vm)
{
	(void)t;
	store.state = vm->state;
	store.save = vm->checkpoint;
	strcpy(store.machine, vm->machine_id);
	strncpy(store.reason, vm->reason ? vm->reason : "", sizeof(store.reason) - 1);
}

void store_commit(struct store_txn *t, store_done *done, void *arg)
{
	(void)t;
	store.done = done;
	store.arg = arg;
	store.commits++;
}

void store_del_microvm(struct store_txn *t, const char *id)
{
	(void)t;
	(void)id;
}

void answer(int rc)
{
	store_done *done = store.done;
	struct err e = { ERR_CAPACITY, "the disk is full" };

	assert_non_null(done);
	store.done = NULL;
	done(store.arg, rc, rc ? &e : NULL);
}

static struct control ctl;

struct microvm *microvm(enum vm_state state)
{
	struct microvm *vm = xcalloc(1, sizeof(*vm));

	strcpy(vm->id, "microvm-1");
	strcpy(vm->machine_id, "m-1");
	vm->ctl = &ctl;
	vm->state = state;
	did = NULL;
	memset(&store, 0, sizeof(store));
	return vm;
}
