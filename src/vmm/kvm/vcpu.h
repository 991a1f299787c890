/* vcpu.h - what runs a virtual processor: its thread.
 *
 * The thread waits on a futex until vm_resume, and is then in KVM_RUN until vm_pause or until its
 * guest cannot continue.  An access to a device is served in the thread, under the devices' lock.
 * No exit of a guest ends the process; an exit from which the guest cannot continue ends the
 * machine (vm_end). */
#ifndef VMM_KVM_VCPU_H
#define VMM_KVM_VCPU_H

#include "vmm/kvm/vm.h"

#define VCPU_STACK (32 * KIB)

int vcpu_open(struct vcpu *v, struct vm *vm, unsigned index, struct err *e) must_check;
void vcpu_close(struct vcpu *v);

/* Make the thread, which waits.  It calls vm->ops->confine before anything else. */
int vcpu_start(struct vcpu *v, struct err *e) must_check;
void vcpu_interrupt(struct vcpu *v); /* out of KVM_RUN, now or at its next entry */
void vcpu_join(struct vcpu *v);      /* after the VM's turn has become VM_OVER */

#endif
