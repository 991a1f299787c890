#include "qemu/stats.h"

#include <stdio.h>
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
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		unsigned long long kib;

		if (sscanf(line, "Pss: %llu kB", &kib) == 1)
			to->proportional_bytes += kib * KIB;
		else if (sscanf(line, "Private_Clean: %llu kB", &kib) == 1 ||
			 sscanf(line, "Private_Dirty: %llu kB", &kib) == 1)
			to->private_bytes += kib * KIB;
	}
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
