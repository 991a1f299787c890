/* jail.h - the last step of the way in: what the threads of doze-vmm may still ask of the kernel.
 *
 * The filters are made at build time (gen_filters.c).  A call that is not in them kills the process
 * after its name was logged: it is our bug, or the guest has taken us over. */
#ifndef VMM_JAIL_H
#define VMM_JAIL_H

#include "base/err.h"

/* Before the first filter: no new privileges, and SIGSYS names the call. */
int jail_prepare(struct err *e) must_check;
/* The calling thread becomes the loop's, or that of a vCPU, which may do much less. */
int jail_loop(struct err *e) must_check;
int jail_vcpu(void) must_check; /* -errno */
int jail_disk(void) must_check; /* likewise: the disk thread */

#endif
