/* userns.h - a user namespace that maps one user to itself and nobody else. */
#ifndef PRIV_USERNS_H
#define PRIV_USERNS_H

#include <sys/types.h>

#include "base/err.h"

/* Opens a procfs of the calling process's pid namespace, which is mounted nowhere. It shows only
 * processes of that namespace, and of these only what the caller may trace. The caller owns the
 * descriptor. */
int userns_open_proc(struct err *e) must_check;

/* Turns root into @uid without groups, in a user namespace of its own, where it has every
 * capability; outside of it it has none. @proc comes from userns_open_proc. */
int userns_enter(int proc, uid_t uid, struct err *e) must_check;

#endif
