/* lock.h - what neither doze-qemu nor its QEMU will ever ask the kernel for.
 *
 * A guest that has broken out of QEMU is a process without rights in namespaces of its own; what is
 * left to it is the kernel.  This filter takes away the parts of it that a machine has no use for:
 * they answer EPERM.  It is inherited by all children, QEMU puts its own on top. */
#ifndef QEMU_LOCK_H
#define QEMU_LOCK_H

#include "base/err.h"

/* For good; needs no_new_privs, which it sets. */
int lock_kernel(struct err *e) must_check;

#endif
