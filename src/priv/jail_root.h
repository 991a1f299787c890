/* jail_root.h - the file system that a machine's process sees: programs and libraries read-only,
 * its own /proc, two device nodes, nothing to write to. */
#ifndef PRIV_JAIL_ROOT_H
#define PRIV_JAIL_ROOT_H

#include "base/err.h"

#define JAIL_ROOT_LIBEXEC "/libexec"

/* For a process in mount and pid namespaces of its own.  @stage: an empty directory. */
int jail_root_enter(const char *stage, const char *libexec, struct err *e) must_check;
/* The same, with nothing in it at all. */
int jail_root_enter_empty(const char *stage, struct err *e) must_check;

#endif
