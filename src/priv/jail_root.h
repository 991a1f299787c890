/* jail_root.h - the file system that a machine's process sees: programs and libraries, its own
 * /proc and two device nodes, all of it read-only. */
#ifndef PRIV_JAIL_ROOT_H
#define PRIV_JAIL_ROOT_H

#include "base/err.h"

#define JAIL_ROOT_LIBEXEC "/libexec"

/* Changes the root of a process that has its own mount and pid namespaces. @stage is an empty
 * directory. */
int jail_root_enter(const char *stage, const char *libexec, struct err *e) must_check;
/* Does the same with a root that has nothing in it. */
int jail_root_enter_empty(const char *stage, struct err *e) must_check;

#endif
