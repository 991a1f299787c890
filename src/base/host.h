/* host.h - what kind of host this program was compiled for, in the words of the service's API. */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#ifdef __x86_64__
#define HOST_ARCHITECTURE "X86_64"
#define HOST_CHIPSET      "INTEL"
#else
#define HOST_ARCHITECTURE "ARM_64"
#define HOST_CHIPSET      "GRAVITON"
#endif
#define HOST_GENERATION "1"

#endif
