/* probe.h - is this /dev/kvm one that runs kernels?
 *
 * One that only emulates instructions opens and answers like any other.  A guest in 64-bit kernel
 * mode runs instructions that KVM's emulator does not know, and then a counted loop; less than 20
 * million instructions in a second of this thread's CPU time are emulated as well.  A few
 * milliseconds, bounded. */
#ifndef VMM_PROBE_H
#define VMM_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether it can be used; @why: one line for a person, without "usable: " in front. */
bool probe_kvm(int kvm_fd, char *why, size_t size);

#endif
