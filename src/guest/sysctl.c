#include "guest/sysctl.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int file_put(const char *path, const char *text, struct err *e)
{
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_sys(e, "write '%s'", path);
	return 0;
}

int sysctl_set(const char *name, const char *text, struct err *e)
{
	char path[256];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	return file_put(path, text, e);
}
