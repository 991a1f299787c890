/* boot.h - from the kernel's hand-over to a guest that can talk: file systems, modules, root disk,
 * network.  Called once each, in this order, by PID 1.  Nothing here waits by polling: a device
 * that a module brings is announced by the kernel's uevents. */
#ifndef GUEST_BOOT_H
#define GUEST_BOOT_H

#include "base/err.h"

#define BOOT_ROOT "/root" /* the root disk, as the agent sees it */

int boot_mounts(struct err *e) must_check;

/* Load the modules that the list /modules/<group> names, one path a line, in order. */
int boot_modules(const char *group, struct err *e) must_check;

/* Mount the disk read-write on BOOT_ROOT. */
int boot_root(struct err *e) must_check;

/* The kernel's own periodic work, down to what a guest needs.  A knob that is missing is logged. */
void boot_tune(void);

/* Bring up lo, and eth0 with the slot's addresses. */
int boot_link(struct err *e) must_check;

/* Try until it is not negative, each time the kernel announces a device; not for ever. */
int boot_await(int (*attempt)(struct err *e), struct err *e) must_check;

#endif
