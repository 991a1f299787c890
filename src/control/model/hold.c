#include "control/control.h"
#include "control/kms/kms.h"
#include "control/model/connector.h"
#include "control/model/model.h"

void model_hold(struct microvm *vm, int n)
{
	vm->version->n_microvms += (unsigned)n;
	model_connectors_hold(vm, n);
	kms_hold(vm->kms, n);
	account_count(account_of(vm->ctl, vm->account), vm->version->memory_mib, n);
}
