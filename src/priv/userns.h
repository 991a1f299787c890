/* userns.h - a user namespace that maps one user to itself and nobody else. */
#ifndef PRIV_USERNS_H
#define PRIV_USERNS_H

#include <sys/types.h>

#include "base/err.h"

/* A procfs of the calling process's pid namespace that is mounted nowhere: only processes in it,
 * and of those only what the caller may trace.  Owned by the caller. */
int userns_open_proc(struct err *e) must_check;

/* Root becomes @uid without groups, in a user namespace of its own in which it has every
 * capability and outside of which it has none.  @proc: of userns_open_proc. */
int userns_enter(int proc, uid_t uid, struct err *e) must_check;

#endif
