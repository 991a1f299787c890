/* life.h - a virtual machine of KVM from its making to its end.
 *
 * vm_open does everything that is possible before it is known what will run.  The memory's window
 * must be reserved by then, but may be unmapped.  Only the loop, which holds the devices' lock,
 * calls these functions. */
#ifndef VMM_LIFE_H
#define VMM_LIFE_H

#include "vmm/kvm/vm.h"

/* Make the VM, its memory slots, interrupt controllers, and vCPUs with the CPU that this host
 * offers to all guests.  The caller keeps @kvm_fd. */
int vm_open(struct vm *vm, const struct vm_ops *ops, int kvm_fd, const struct mem *mem,
	    unsigned n_vcpus, struct err *e) must_check;
/* Start the threads, and watch for the end.  The buses must be complete. */
int vm_start(struct vm *vm, const struct bus *mmio, const struct bus *pio, struct loop *l,
	     struct err *e) must_check;
void vm_close(struct vm *vm);

void vm_resume(struct vm *vm); /* all vCPUs run; harmless if they do */
/* Stop all vCPUs, with no access half done; harmless if none runs.  The caller holds the devices'
 * lock, which is released during the wait. */
void vm_pause(struct vm *vm);

#endif
