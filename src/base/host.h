/* host.h - the host: of what kind it is, in the words of the service's API, and when it was booted.
 */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include "base/err.h"
#include "base/rand.h"

#ifdef __x86_64__
#define HOST_ARCHITECTURE "X86_64"
#define HOST_CHIPSET      "INTEL"
#else
#define HOST_ARCHITECTURE "ARM_64"
#define HOST_CHIPSET      "GRAVITON"
#endif
#define HOST_GENERATION "1"

/* The kernel's word for the time since the last boot. */
int host_boot_id(char out[UUID_SIZE], struct err *e) must_check;

#endif
