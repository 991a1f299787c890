/* vm.h - what a machine of x86-64 holds besides. */
#ifndef VMM_ARCH_X86_64_VM_H
#define VMM_ARCH_X86_64_VM_H

struct cpuid;

struct arch_vm {
	struct cpuid *cpuid; /* owned: the CPU that this host offers to all guests */
};

#endif
