#include "control/microvm/traffic.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/steady.h"
#include "control/microvm/guest_log.h"
#include "control/microvm/lifecycle.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/policy.h"
#include "control/microvm/publish.h"
#include "control/microvm/suspend.h"
#include "control/store/store.h"

#define TRAFFIC_LAST_BYTE_MS 10000 /* between two writes of the last byte's time to the store */

static void traffic_wake(struct microvm *vm)
{
	if (vm->ctl->draining || !(vm->idle.auto_resume || vm->drained))
		return;
	if (vm->state == VM_SUSPENDED || vm->state == VM_SUSPENDING)
		lifecycle_resume(vm, NULL, NULL);
	else
		routes_push(vm); /* the proxy does not know its state yet */
}

static void traffic_active(struct microvm *vm, int64_t last_byte_ms)
{
	struct lifecycle *l = lifecycle_of(vm);
	struct store_txn *t;

	if (vm->state != VM_RUNNING ||
	    !policy_note_byte(vm, last_byte_ms, steady_ms(), clock_boot_ms()))
		return;
	/* A row that is on its way to the store is newer in everything but this time. */
	if (l->committing || vm->since.last_byte_ms - l->written_ms < TRAFFIC_LAST_BYTE_MS)
		return;
	l->written_ms = vm->since.last_byte_ms;
	t = store_begin(vm->ctl->store);
	model_put_microvm(t, vm);
	store_commit(t, NULL, NULL);
}

static void traffic_held(struct microvm *vm, int64_t last_byte_ms)
{
	policy_note_byte(vm, last_byte_ms, steady_ms(), clock_boot_ms());
	suspend_on_held(vm);
}

static void traffic_note(struct microvm *vm, const char *text, uint64_t missed)
{
	char line[sizeof(((struct route_note *)NULL)->text) + 64];

	snprintf(line, sizeof(line), "%s", text);
	if (missed)
		snprintf(line, sizeof(line), "%s; %llu more were refused before", text,
			 (unsigned long long)missed);
	guest_log_note(vm, line);
}

const struct routes_ops microvm_routes_ops = {
	.wake = traffic_wake,
	.held = traffic_held,
	.active = traffic_active,
	.note = traffic_note,
	.listens = publish_got,
	.listened = publish_got_all,
};
