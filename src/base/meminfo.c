#include "base/meminfo.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "MemTotal:  24591664 kB" */
static uint64_t meminfo_bytes(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) * KIB : 0;
}

bool meminfo_parse(const char *text, struct meminfo *m)
{
	m->total = meminfo_bytes(text, "MemTotal:");
	m->available = meminfo_bytes(text, "MemAvailable:");
	if (m->total && m->available)
		return true;
	*m = (struct meminfo){ 0 };
	return false;
}

bool meminfo_read(struct meminfo *m)
{
	char text[2048] = "";
	autoclose int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	return meminfo_parse(text, m);
}
