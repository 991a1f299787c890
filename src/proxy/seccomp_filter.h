/* seccomp_filter.h - the system calls that a serving proxy makes; every other answers EPERM.
 *
 * The proxy is the first to read strangers' bytes.  Whoever took it over could speak on the sockets
 * that it has and connect to machines' streams, but open no file, start nothing, map no code,
 * and use none of the kernel's larger interfaces. */
#ifndef PROXY_SECCOMP_FILTER_H
#define PROXY_SECCOMP_FILTER_H

#include "base/err.h"

/* For good, once everything is handed over: certificates are read by libraries that open files. */
int seccomp_filter_lay(struct err *e) must_check;

#endif
