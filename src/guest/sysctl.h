/* sysctl.h - writes kernel settings and other one-line files. */
#ifndef GUEST_SYSCTL_H
#define GUEST_SYSCTL_H

#include "base/err.h"

/* Write @text to an existing file of the kernel. */
int file_put(const char *path, const char *text, struct err *e) must_check;

/* The same below /proc/sys. */
int sysctl_set(const char *name, const char *text, struct err *e) must_check;

#endif
