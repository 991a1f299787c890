/* measure.c - what the machine costs, read from outside.
 *
 * Where L1 counts instructions (run --icount) a nanosecond of CPU time is one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"

struct usage usage_now(const struct drive *d)
{
	struct usage u = { 0 };
	struct timespec now;
	char path[96];
	const struct dirent *entry;
	DIR *tasks;

	clock_gettime(CLOCK_MONOTONIC, &now);
	u.wall_ns = now.tv_sec * 1000000000 + now.tv_nsec;
	snprintf(path, sizeof(path), "/proc/%d/task", d->pid);
	tasks = d->pid ? opendir(path) : NULL;
	while (tasks && (entry = readdir(tasks))) {
		unsigned long long ns = 0;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/task/%.10s/schedstat", d->pid,
			 entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (file && fscanf(file, "%llu", &ns) == 1)
			u.cpu_ns += ns;
		if (file)
			fclose(file);
	}
	if (tasks)
		closedir(tasks);
	return u;
}

struct memory {
	unsigned private_kib, anonymous_kib, guest_kib, rss_kib;
};

/* The guest's memory is the mapping of a file of that name, a memfd, or one of no file and of its
 * size. */
static struct memory memory_now(const struct drive *d)
{
	struct memory m = { 0 };
	bool guest = false;
	char path[64], line[512], name[256], key[64];
	unsigned long begin, end;
	unsigned kib;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps", d->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		name[0] = 0;
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %255s", &begin, &end, name) >= 2) {
			guest = strstr(name, "memory") ||
				(!name[0] && end - begin == d->shape.memory_mib * MIB);
			continue;
		}
		if (sscanf(line, "%63[^:]: %u", key, &kib) != 2)
			continue;
		if (!strcmp(key, "Rss"))
			m.rss_kib += guest ? 0 : kib;
		if (!strcmp(key, "Anonymous"))
			m.anonymous_kib += guest ? 0 : kib;
		if (!strcmp(key, "Private_Clean") || !strcmp(key, "Private_Dirty"))
			*(guest ? &m.guest_kib : &m.private_kib) += kib;
	}
	if (file)
		fclose(file);
	return m;
}

void measure_say(struct drive *d, const char *name)
{
	struct memory m = memory_now(d);
	struct usage begin = *d->at_exec, mark = d->mark.wall_ns ? d->mark : begin;

	printf("MEASURE name=%s cpu_ns=%lld wall_ns=%lld mark_cpu_ns=%lld mark_wall_ns=%lld "
	       "private_kib=%u anonymous_kib=%u rss_kib=%u guest_kib=%u\n",
	       name, (long long)(d->awaited.cpu_ns - begin.cpu_ns),
	       (long long)(d->awaited.wall_ns - begin.wall_ns),
	       (long long)(d->awaited.cpu_ns - mark.cpu_ns),
	       (long long)(d->awaited.wall_ns - mark.wall_ns), m.private_kib, m.anonymous_kib,
	       m.rss_kib, m.guest_kib);
}
