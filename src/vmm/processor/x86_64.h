/* x86_64.h - what a virtual machine of x86-64 holds besides. */
#ifndef VMM_PROCESSOR_X86_64_H
#define VMM_PROCESSOR_X86_64_H

struct cpuid;

struct arch_vm {
	struct cpuid *cpuid; /* owned: the CPU that this host offers to all guests */
};

#endif
