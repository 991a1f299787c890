/* tsc.h - saves and loads the distances between the vCPUs' counters (records TSCO of the state
 * file). */
#ifndef VMM_ARCH_X86_64_TSC_H
#define VMM_ARCH_X86_64_TSC_H

#include "vmm/kvm/vm.h"
#include "vmm/snap/record.h"

void tsc_save(const struct vm *vm, struct buf *to);
int tsc_load(const struct vm *vm, struct rows *rows, struct err *e) must_check;

#endif
