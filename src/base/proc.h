/* proc.h - what /proc says of a process. */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdint.h>
#include <sys/types.h>

/* When the process started, in clock ticks since the boot (field 22 of /proc/<pid>/stat), or 0 if
 * there is no such process or it is dead. Together with its pid this names a process, because a pid
 * is used again. */
uint64_t proc_start_time(pid_t pid);

#endif
