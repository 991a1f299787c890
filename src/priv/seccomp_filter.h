/* seccomp_filter.h - the system calls that no machine's process needs and that an attacker in one
 * would want.
 *
 * It refuses a list of calls with EPERM; QEMU adds its own, stricter filter. The program for the
 * kernel is made once, so that a start only loads it. */
#ifndef PRIV_SECCOMP_FILTER_H
#define PRIV_SECCOMP_FILTER_H

#include "base/err.h"

struct seccomp_filter {
	void *program; /* owned */
	size_t size;
};

int seccomp_filter_make(struct seccomp_filter *f, struct err *e) must_check;
void seccomp_filter_free(struct seccomp_filter *f);
/* Loads the filter for the calling process, which can gain no new privileges afterwards, and for
 * everything that it starts. */
int seccomp_filter_load(const struct seccomp_filter *f, struct err *e) must_check;

#endif
