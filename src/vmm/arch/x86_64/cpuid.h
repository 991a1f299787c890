/* cpuid.h - the CPU that guests see, as pure functions over KVM's table.
 *
 * The template is what this host's KVM offers without what ties a guest to one host or has no
 * place in a machine: performance counters, SGX, AMX, memory encryption, nested virtualization,
 * the topology and frequencies of the host.  Hosts of one class make equal templates. */
#ifndef VMM_ARCH_X86_64_CPUID_H
#define VMM_ARCH_X86_64_CPUID_H

#include <linux/kvm.h>

#include "base/err.h"

#define CPUID_MOST 128

/* Laid out as struct kvm_cpuid2, with room. */
struct cpuid {
	uint32_t n, zero;
	struct kvm_cpuid_entry2 entries[CPUID_MOST];
};

/* From what KVM supports to the template of a machine of @n_vcpus. */
void cpuid_template(struct cpuid *c, unsigned n_vcpus);

/* The template with the numbers of vCPU @index in it. */
void cpuid_number(struct cpuid *c, unsigned index);

/* Whether @host can be the CPU @wanted; refused in a sentence that names what it lacks. */
int cpuid_check(const struct cpuid *wanted, const struct cpuid *host, struct err *e) must_check;

#endif
