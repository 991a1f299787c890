/* serve.h - which request a machine serves when (ipc/machine.h): the same rule for every monitor.
 */
#ifndef MACHINE_SERVE_H
#define MACHINE_SERVE_H

#include "base/err.h"
#include "ipc/machine.h"

/* @type: of a message that was received.  @busy: the operation under way, or NULL.  ERR_INVALID:
 * that is no request; ERR_CONFLICT: not now. */
int serve_check(uint32_t type, enum machine_run run, const char *busy, struct err *e) must_check;

#endif
