/* measure.c - what the machine costs, read from outside.
 *
 * Where L1 counts instructions (run --icount) a nanosecond of CPU time is one.  System calls are
 * counted by the kernel's tracing, which costs; so not in the same run. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"

#define TRACING     "/sys/kernel/tracing/"
#define MOST_NR     512
#define MARK_TEXT   "drive mark"
#define NR_EXECVE   59 /* x86-64; and execveat */
#define NR_EXECVEAT 322

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

static int trace_put(const char *name, const char *text)
{
	autofree char *path = xasprintf(TRACING "%s", name);
	autoclose int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

int trace_begin(struct drive *d, struct err *e)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", d->pid);
	if (trace_put("tracing_on", "0") || trace_put("trace", "\n") ||
	    trace_put("buffer_size_kb", "8192") || trace_put("options/event-fork", "1") ||
	    trace_put("set_event_pid", pid) ||
	    trace_put("events/raw_syscalls/sys_enter/enable", "1") || trace_put("tracing_on", "1"))
		return err_sys(e, "trace system calls in " TRACING);
	d->tracing = true;
	return 0;
}

void trace_mark(const struct drive *d)
{
	if (d->tracing && trace_put("trace_marker", MARK_TEXT))
		drive_say(d, "no mark in the trace");
}

/* "SYSCALLS name=N exec=N mark=N", and for each call that was made "SYSCALL name=N nr=N ...". */
void trace_end(struct drive *d, const char *name)
{
	static unsigned exec[MOST_NR], mark[MOST_NR];
	unsigned n_exec = 0, n_mark = 0;
	bool marked = false;
	char line[512];
	FILE *file;

	if (!d->tracing)
		return;
	trace_put("tracing_on", "0");
	trace_put("events/raw_syscalls/sys_enter/enable", "0");
	file = fopen(TRACING "trace", "re");
	while (file && fgets(line, sizeof(line), file)) {
		const char *at = strstr(line, "sys_enter: NR ");
		unsigned nr = at ? (unsigned)strtoul(at + 14, NULL, 10) : MOST_NR;

		if (strstr(line, MARK_TEXT)) {
			marked = true;
			n_mark = 0;
			memset(mark, 0, sizeof(mark));
		}
		if (nr >= MOST_NR)
			continue;
		if ((nr == NR_EXECVE || nr == NR_EXECVEAT) && !marked) {
			n_exec = 0;
			memset(exec, 0, sizeof(exec));
			continue;
		}
		exec[nr]++;
		mark[nr]++;
		n_exec++;
		n_mark++;
	}
	if (file)
		fclose(file);
	for (unsigned nr = 0; nr < MOST_NR; nr++)
		if (exec[nr])
			printf("SYSCALL name=%s nr=%u exec=%u mark=%u\n", name, nr, exec[nr],
			       marked ? mark[nr] : 0);
	printf("SYSCALLS name=%s exec=%u mark=%u\n", name, n_exec, marked ? n_mark : 0);
	d->tracing = false;
}
