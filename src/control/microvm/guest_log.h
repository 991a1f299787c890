/* guest_log.h - stdout and stderr of microVMs, and what doze has to say to their owners, in
 * <log>/microvms/<microvmId>.log, with the times in .times beside it (logs/times.h).  A file that
 * is as large as the configuration says is renamed to .log.1, and a new one begins.  Nothing is
 * kept where logging is disabled.
 *
 * A worker writes the log, so that a slow disk stops neither the loop nor a guest.  Output that
 * comes meanwhile waits in memory, up to LIMIT_LOG_BACKLOG.  What exceeds that is dropped, and the
 * log says how much. */
#ifndef CONTROL_MICROVM_GUEST_LOG_H
#define CONTROL_MICROVM_GUEST_LOG_H

#include "control/machine/machine.h"

struct guest_log;

/* For struct machine_ops; the machine's owner is a microVM.  @dropped bytes were lost before @data.
 */
void guest_log_write(struct machine *m, const uint8_t *data, size_t size, uint64_t dropped);
/* A line of doze's own, which is a stranger's text in part. */
void guest_log_note(struct microvm *vm, const char *text);
/* Writes what waits, then closes the log.  The next output opens it again. */
void guest_log_close(struct microvm *vm);
/* Its microVM goes, and the files stay: what waits is written first. */
void guest_log_leave(struct microvm *vm);
void guest_log_remove(struct microvm *vm); /* removes the files, when all is written */

#endif
