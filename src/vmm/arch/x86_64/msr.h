/* msr.h - what is known of single model-specific registers (MSRs). */
#ifndef VMM_ARCH_X86_64_MSR_H
#define VMM_ARCH_X86_64_MSR_H

#include "base/base.h"

#define MSR_TSC 0x10

/* A vCPU that never ran has 0 in it: it need not be set to that. */
bool msr_fresh_zero(uint32_t number);

#endif
