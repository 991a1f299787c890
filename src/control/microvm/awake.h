/* awake.h - looks for signs of work in microVMs that have a policy which counts them: the CPU time
 * of their machines, and leases that their applications ask for.  policy.h judges. */
#ifndef CONTROL_MICROVM_AWAKE_H
#define CONTROL_MICROVM_AWAKE_H

#include "control/machine/machine.h"
#include "control/microvm/lifecycle.h"

void awake_tick(struct microvm *vm, int64_t boot_ms);
/* Sets what keeps it awake.  ERR_CONFLICT while its row is being written for another reason. */
void awake_set(struct microvm *vm, const struct awake *a, change_done *done, void *arg);

#endif
