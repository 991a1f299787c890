/* boot.h - brings the guest up to where it can talk to its host: file systems, modules, network;
 * and then its root disk.  PID 1 calls each function once.  Nothing here polls, because the
 * kernel's uevents announce a device that a module brings. */
#ifndef GUEST_BOOT_H
#define GUEST_BOOT_H

#include "base/err.h"

#define BOOT_ROOT "/root" /* the root disk, as the agent sees it */

int boot_mounts(struct err *e) must_check;

/* Load the modules that the list /modules/<group> names, in its order, one path per line. */
int boot_modules(const char *group, struct err *e) must_check;

/* Mount the disk read-write on BOOT_ROOT, once the host has asked for the application: before that
 * the host may still be writing the disk. */
int boot_root(struct err *e) must_check;

/* Reduce the kernel's periodic work to what a guest needs.  A missing knob is logged. */
void boot_tune(void);

/* Bring up lo, and eth0 with the slot's addresses. */
int boot_link(struct err *e) must_check;

/* Call @attempt each time the kernel announces a device, until it returns no negative number. Gives
 * up after a while. */
int boot_await(int (*attempt)(struct err *e), struct err *e) must_check;

#endif
