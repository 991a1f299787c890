/* serve.h - decides when a machine serves a request (ipc/machine.h), by one rule for all monitors.
 */
#ifndef MACHINE_SERVE_H
#define MACHINE_SERVE_H

#include "base/err.h"
#include "ipc/machine.h"

/* @type is that of a received message.  @busy is the operation under way, or NULL.  ERR_INVALID if
 * the message is not a request; ERR_CONFLICT if it cannot be served now. */
int serve_check(uint32_t type, enum machine_run run, const char *busy, struct err *e) must_check;

#endif
