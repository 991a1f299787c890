/* cpuid.h - the CPU that guests see, as pure functions over KVM's table.
 *
 * The template is what this host's KVM offers, without everything that would tie a guest to one
 * host or has no place in a machine: performance counters, SGX, AMX, memory encryption, nested
 * virtualization, the host's topology and frequencies.  Hosts of one class make equal templates. */
#ifndef VMM_ARCH_X86_64_CPUID_H
#define VMM_ARCH_X86_64_CPUID_H

#include <linux/kvm.h>

#include "base/err.h"

#define CPUID_MAX 128

/* Laid out as struct kvm_cpuid2, with room. */
struct cpuid {
	uint32_t n, zero;
	struct kvm_cpuid_entry2 entries[CPUID_MAX];
};

/* Make the template of a machine of @n_vcpus from what KVM supports. */
void cpuid_template(struct cpuid *c, unsigned n_vcpus);

/* Copy the template and fill in the numbers of vCPU @index. */
void cpuid_number(struct cpuid *c, unsigned index);

/* Check that @host can be the CPU @wanted.  The error names what it lacks. */
int cpuid_check(const struct cpuid *wanted, const struct cpuid *host, struct err *e) must_check;

#endif
