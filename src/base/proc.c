#include "base/proc.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

#define PROC_STAT_MAX (4 * KIB)

/* The line reads "pid (any name) S ppid ...", and the name may itself contain parentheses, so the
 * last one ends it. */
uint64_t proc_start_time(pid_t pid)
{
	autofree char *path = xasprintf("/proc/%d/stat", (int)pid);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autobuf struct buf text = { 0 };
	char *at;

	if (fd < 0 || io_read_all(fd, &text, PROC_STAT_MAX))
		return 0;
	at = strrchr(buf_str(&text), ')');
	if (!at || strlen(at) < 3 || at[2] == 'Z' || at[2] == 'X')
		return 0;
	for (unsigned field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}
