/* meminfo.h - the memory of the host, from /proc/meminfo. */
#ifndef BASE_MEMINFO_H
#define BASE_MEMINFO_H

#include "base/base.h"

struct meminfo {
	uint64_t total, available; /* bytes */
};

/* False, and zeros, if the file is not there or not what it should be. */
bool meminfo_read(struct meminfo *m) must_check;
bool meminfo_parse(const char *text, struct meminfo *m) must_check;

#endif
