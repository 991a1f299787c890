/* state.h - saves and loads KVM's state of a machine, as records of the state file.
 *
 *   CPUI 0  CPUID: the CPU that every vCPU of the machine is, without its number
 *   PIC0, PIC1, IOAP, CLCK 0  interrupt controllers, the guest's clock
 *   REGS, SREG, XSAV, XCRS, DBGR, LAPI, MPST, EVNT i  vCPU i, in KVM's structures
 *   MSRS i  its model specific registers, as KVM's entries
 *   TSCO i  how far the counter of vCPU i > 0 is from vCPU 0's, where KVM says so
 *
 * The vCPUs must be paused. */
#ifndef VMM_STATE_H
#define VMM_STATE_H

#include "base/buf.h"
#include "vmm/kvm/vm.h"
#include "vmm/snap/record.h"

/* Append the records. */
int state_save(struct vm *vm, struct buf *to, struct err *e) must_check;

/* Load from a checked row (record_check).  Everything is checked before anything is changed; a CPU
 * that this host does not offer is refused with the name of what is missing.  The vCPUs must never
 * have run. */
int state_load(struct vm *vm, struct rows *rows, struct err *e) must_check;

bool state_knows(const char tag[5]); /* whether a record is one of these */

/* Rate of the counter that the guest reads, for the snapshot's header. */
uint64_t state_tsc_khz(struct vm *vm);

#endif
