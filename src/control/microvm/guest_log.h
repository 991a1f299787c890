/* guest_log.h - stdout and stderr of microVMs, in <log>/microvms/<microvmId>.log; at LIMIT_LOG_FILE
 * the file becomes .log.1 and a new one begins.
 *
 * A worker writes.  What comes while it writes waits in memory, up to LIMIT_LOG_BACKLOG; beyond
 * that output is dropped, and the log says how much: a slow disk stops neither the loop nor a
 * guest. */
#ifndef CONTROL_MICROVM_GUEST_LOG_H
#define CONTROL_MICROVM_GUEST_LOG_H

#include "control/machine/machine.h"

struct guest_log;

/* For struct machine_ops: the machine's owner is a microVM.  @dropped bytes were lost before it. */
void guest_log_write(struct machine *m, const uint8_t *data, size_t size, uint64_t dropped);
/* Write what waits, then close.  It opens again with the next output. */
void guest_log_close(struct microvm *vm);
void guest_log_remove(struct microvm *vm); /* the files of one that is forgotten */

#endif
