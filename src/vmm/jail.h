/* jail.h - the last step of confinement: it limits the system calls of doze-vmm's threads.
 *
 * The filters are made at build time (gen_filters.c).  A call outside them is logged by name and
 * ends the process, because it is a bug of ours or the guest has taken over. */
#ifndef VMM_JAIL_H
#define VMM_JAIL_H

#include "base/err.h"

/* Call it before the first filter.  It forbids new privileges and lets SIGSYS name the call. */
int jail_prepare(struct err *e) must_check;
/* Confine the calling thread as the loop's, or as a vCPU's, which may do much less. */
int jail_loop(struct err *e) must_check;
int jail_vcpu(void) must_check; /* -errno */
int jail_disk(void) must_check; /* likewise: the disk thread */

#endif
