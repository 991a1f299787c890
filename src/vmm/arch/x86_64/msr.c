#include "vmm/arch/x86_64/msr.h"

/* All others are 0 in a vCPU that never ran, or never 0 in one that did. */
static const uint32_t msr_not_zero[] = {
	MSR_TSC,    0x1b, /* APIC_BASE */
	0x3a,             /* FEATURE_CONTROL */
	0x8b,             /* UCODE_REV */
	0x9e,             /* SMBASE */
	0xce,             /* PLATFORM_INFO */
	0x10a,            /* ARCH_CAPABILITIES */
	0x1a0,            /* MISC_ENABLE */
	0x277,            /* PAT */
	0x345,            /* PERF_CAPABILITIES */
	0x6e0,            /* TSC_DEADLINE */
	0x4b564d05,       /* KVM's POLL_CONTROL */
	0xc0000104,       /* TSC_RATIO */
	0xc0010015,       /* HWCR */
	0xc0011029,       /* DE_CFG */
};

bool msr_fresh_zero(uint32_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(msr_not_zero); i++)
		if (msr_not_zero[i] == number)
			return false;
	return true;
}
