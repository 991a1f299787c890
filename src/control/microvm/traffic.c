#include "control/microvm/traffic.h"

#include "control/microvm/expiry.h"
#include "control/microvm/lifecycle_internal.h"

static void traffic_wake(struct microvm *vm)
{
	if (vm->ctl->draining || !vm->idle.auto_resume)
		return;
	if (vm->state == VM_SUSPENDED || vm->state == VM_SUSPENDING)
		lifecycle_resume(vm, NULL, NULL);
	else
		routes_push(vm); /* the proxy does not know this state yet */
}

const struct routes_ops microvm_routes_ops = { traffic_wake, suspend_held, expiry_active };
