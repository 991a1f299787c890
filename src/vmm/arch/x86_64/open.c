/* open.c - what KVM makes only for machines of x86-64, and the CPU of their vCPUs. */

#include <stdlib.h>
#include <sys/ioctl.h>

#include "vmm/arch/x86_64/cpuid.h"
#include "vmm/kvm/vm.h"
#include "vmm/processor/arch.h"

#define TSS_GPA 0xfffbd000UL /* three pages that processors without "unrestricted guests" need */

int arch_vm_open(struct vm *vm, struct err *e)
{
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_GPA) < 0)
		return err_sys(e, "KVM does not take a task's address");
	return vm_ioctl(vm->fd, KVM_CREATE_IRQCHIP, NULL, "make interrupt controllers", e);
}

int arch_vcpus_open(struct vm *vm, struct err *e)
{
	struct cpuid *c = xcalloc(1, sizeof(*c));

	static_assert(sizeof(*c) == sizeof(struct kvm_cpuid2) + sizeof(c->entries), "as KVM's");
	vm->arch.cpuid = c;
	c->n = CPUID_MAX;
	if (vm_ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, c, "tell what CPU it offers", e) < 0)
		return -1;
	cpuid_template(c, vm->n_vcpus);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		cpuid_number(c, i);
		if (vm_ioctl(vm->vcpus[i].fd, KVM_SET_CPUID2, c, "take a CPU", e) < 0)
			return -1;
	}
	cpuid_number(c, 0);
	return 0;
}

void arch_vm_close(struct vm *vm)
{
	free(vm->arch.cpuid);
	vm->arch.cpuid = NULL;
}
