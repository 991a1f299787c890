/* stats.h - reads from /proc what a machine costs. */
#ifndef QEMU_STATS_H
#define QEMU_STATS_H

#include <sys/types.h>

#include "ipc/machine.h"

/* Add the CPU time and memory of this process, of the children it has reaped, and of @qemu (0 for
 * none).  What cannot be read counts as zero. */
void stats_read(struct machine_stats *to, pid_t qemu);

#endif
