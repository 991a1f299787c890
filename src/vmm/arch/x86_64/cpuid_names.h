/* cpuid_names.h - which registers of CPUID hold features, and what the features are called. */
#ifndef VMM_ARCH_X86_64_CPUID_NAMES_H
#define VMM_ARCH_X86_64_CPUID_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum cpuid_reg { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

struct cpuid_feature_reg {
	uint32_t leaf, subleaf;
	enum cpuid_reg reg;
};

struct cpuid_name {
	uint32_t leaf, subleaf;
	enum cpuid_reg reg;
	int bit;
	const char *name;
};

extern const struct cpuid_feature_reg cpuid_feature_regs[];
extern const size_t cpuid_n_feature_regs;
extern const struct cpuid_name cpuid_names[];
extern const size_t cpuid_n_names;

#endif
