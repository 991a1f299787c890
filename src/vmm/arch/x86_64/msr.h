/* msr.h - the model-specific registers of a vCPU, as records of the state file. */
#ifndef VMM_ARCH_X86_64_MSR_H
#define VMM_ARCH_X86_64_MSR_H

#include <linux/kvm.h>

#include "vmm/kvm/vm.h"
#include "vmm/snap/record.h"

#define MSRS_MAX 256

/* Laid out as struct kvm_msrs, with room. */
struct msrs {
	uint32_t n, zero;
	struct kvm_msr_entry entry[MSRS_MAX];
};

/* Call it once, before a vCPU has run.  It records the values that need not be set. */
int msrs_prepare(const struct vm *vm, struct err *e) must_check;

/* Append the registers that KVM lists, except those that it refuses to read. */
int msrs_save(int fd, const struct vm *vm, struct msrs *m, struct err *e) must_check;
/* Check that the record MSRS @index exists and can be loaded. */
int msrs_check(struct rows *rows, unsigned index, struct err *e) must_check;
/* Set what that record changes in a vCPU that never ran.  The guest's memory must be attached. */
int msrs_load(const struct vcpu *c, struct rows *rows, struct err *e) must_check;

#endif
