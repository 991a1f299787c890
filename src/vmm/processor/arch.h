/* arch.h - what each processor architecture gives to a virtual machine; src/vmm/arch has a folder
 * for each. */
#ifndef VMM_PROCESSOR_ARCH_H
#define VMM_PROCESSOR_ARCH_H

#include "base/err.h"

#if defined(__x86_64__)
#include "vmm/processor/x86_64.h"
#else
#error "no such processor yet"
#endif

#define ARCH_VIRTIO_IRQ 5 /* of device 0 (docs/vmm.md) */

struct vm;

/* Before and after the vCPUs are made (vm_open). */
int arch_vm_open(struct vm *vm, struct err *e) must_check;
int arch_vcpus_open(struct vm *vm, struct err *e) must_check;
void arch_vm_close(struct vm *vm);

/* What the guest is started with; descriptors are borrowed. */
struct arch_boot {
	int kernel_fd;
	int initrd_fd; /* -1: none */
	const char *command_line;
	unsigned n_virtio; /* devices on the board (docs/vmm.md) */
};

/* Load kernel, initramfs and tables into the memory, which is attached and empty, and set vCPU 0 to
 * the kernel's entry. */
int arch_boot(struct vm *vm, const struct arch_boot *b, struct err *e) must_check;

#endif
