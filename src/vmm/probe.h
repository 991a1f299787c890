/* probe.h - finds out whether this /dev/kvm can run kernels.
 *
 * A KVM that only emulates instructions opens and answers like any other.  So a guest in 64-bit
 * kernel mode runs instructions that KVM's emulator does not know, and then a counted loop.  Less
 * than 20 million instructions per second of this thread's CPU time count as emulation, too.  The
 * probe takes a few milliseconds and is bounded. */
#ifndef VMM_PROBE_H
#define VMM_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* Can it be used?  @why gets one line for a person, without a leading "usable: ". */
bool probe_kvm(int kvm_fd, char *why, size_t size);

#endif
