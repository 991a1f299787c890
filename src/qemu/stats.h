/* stats.h - what a machine costs, from /proc. */
#ifndef QEMU_STATS_H
#define QEMU_STATS_H

#include <sys/types.h>

#include "ipc/machine.h"

/* Adds cpu and memory of this process, of the children it has reaped, and of @qemu (0: none).  What
 * cannot be read counts as nothing. */
void stats_read(struct machine_stats *to, pid_t qemu);

#endif
