/* guest_log.h - stdout and stderr of microVMs, in <log>/microvms/<microvmId>.log; at LIMIT_LOG_FILE
 * the file becomes .log.1 and a new one begins. */
#ifndef CONTROL_MICROVM_GUEST_LOG_H
#define CONTROL_MICROVM_GUEST_LOG_H

#include "control/machine/machine.h"

/* For struct machine_ops: the machine's owner is a microVM. */
void guest_log_write(struct machine *m, const uint8_t *data, size_t size, uint64_t dropped);
void guest_log_close(struct microvm *vm);
void guest_log_remove(struct microvm *vm); /* the files of one that is forgotten */

#endif
