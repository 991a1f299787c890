/* seccomp_filter.h - the system calls that no machine's process needs and that a broken one would
 * want.
 *
 * A list of what is refused (EPERM), over which QEMU lays its own, stricter one.  Made once as a
 * program for the kernel, so that a start only loads it. */
#ifndef PRIV_SECCOMP_FILTER_H
#define PRIV_SECCOMP_FILTER_H

#include "base/err.h"

struct seccomp_filter {
	void *program; /* owned */
	size_t size;
};

int seccomp_filter_make(struct seccomp_filter *f, struct err *e) must_check;
void seccomp_filter_free(struct seccomp_filter *f);
/* On the calling process, which may gain no new privileges, and on all that it starts. */
int seccomp_filter_load(const struct seccomp_filter *f, struct err *e) must_check;

#endif
