/* state.h - what KVM holds of a machine, as records of the state file.
 *
 *   KVMC 0  CPUID: the CPU that every vCPU of the machine is, without its number
 *   KVMV 0  interrupt controllers, clock, rate of the time stamp counter
 *   KVMR i  vCPU i: registers and all else of fixed size
 *   KVMX i  its extended registers (XSAVE), zeros at the end left out
 *   KVMM i  its model specific registers: pairs of u64 number and u64 value
 *
 * The vCPUs are paused. */
#ifndef VMM_KVM_STATE_H
#define VMM_KVM_STATE_H

#include "base/buf.h"
#include "vmm/kvm/vm.h"

/* Append the records. */
int state_save(struct vm *vm, struct buf *to, struct err *e) must_check;

/* Of a checked row (record_check).  Everything is looked at before anything is changed: a CPU that
 * this host does not offer is refused with the name of what it lacks.  The vCPUs have never run. */
int state_load(struct vm *vm, const uint8_t *data, size_t size, struct err *e) must_check;

/* Rate of the counter that the guest reads, for the snapshot's header. */
uint64_t state_tsc_khz(struct vm *vm);

#endif
