#include "qemu/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void stats_cpu(struct machine_stats *to, pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (!clock_getcpuclockid(pid, &clock) && !clock_gettime(clock, &t))
		to->cpu_ns += (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void stats_children(struct machine_stats *to)
{
	struct rusage u;

	if (getrusage(RUSAGE_CHILDREN, &u))
		return;
	to->cpu_ns += (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000ULL +
		      (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000ULL;
}

static void stats_memory(struct machine_stats *to, pid_t pid)
{
	const struct {
		const char *name;
		uint64_t *sum;
	} rows[] = { { "Pss:", &to->proportional_bytes },
		     { "Private_Clean:", &to->private_bytes },
		     { "Private_Dirty:", &to->private_bytes } };
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			if (!strncmp(line, rows[i].name, strlen(rows[i].name)))
				*rows[i].sum +=
					strtoull(line + strlen(rows[i].name), NULL, 10) * KIB;
	if (file)
		fclose(file);
}

void stats_read(struct machine_stats *to, pid_t qemu)
{
	stats_cpu(to, getpid());
	stats_children(to);
	stats_memory(to, getpid());
	if (!qemu)
		return;
	stats_cpu(to, qemu);
	stats_memory(to, qemu);
}
