/* msr.h - the model-specific registers of a vCPU, as records of the state file. */
#ifndef VMM_ARCH_X86_64_MSR_H
#define VMM_ARCH_X86_64_MSR_H

#include <linux/kvm.h>

#include "vmm/kvm/vm.h"
#include "vmm/snap/record.h"

#define MSRS_MOST 256

/* Laid out as struct kvm_msrs, with room. */
struct msrs {
	uint32_t n, zero;
	struct kvm_msr_entry entry[MSRS_MOST];
};

/* Once, before a vCPU has run: what need not be set because it is so. */
int msrs_prepare(const struct vm *vm, struct err *e) must_check;

/* What KVM lists, less what cannot be read one by one. */
int msrs_save(int fd, const struct vm *vm, struct msrs *m, struct err *e) must_check;
/* Whether the record MSRS @index is there and can be loaded. */
int msrs_check(struct rows *rows, unsigned index, struct err *e) must_check;
/* Of that record what has to be set in a vCPU that never ran.  The guest's memory is attached. */
int msrs_load(const struct vcpu *c, struct rows *rows, struct err *e) must_check;

#endif
