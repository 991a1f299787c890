#include "qemu/threads.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

static bool threads_file(pid_t pid, const char *tid, const char *name, char *text, size_t size)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/%s", (int)pid, tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	fd_close(&fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return true;
}

/* A name may hold anything, and the state stands behind its closing parenthesis. */
static char threads_state(char *stat)
{
	const char *end = strrchr(stat, ')');

	return end && end[1] == ' ' ? end[2] : '?';
}

static void threads_one(pid_t pid, const char *tid, struct threads *sum, struct buf *text)
{
	char stat[512], sched[128], *rest;
	uint64_t cpu_ns, waited_ns;
	char state;

	if (!threads_file(pid, tid, "stat", stat, sizeof(stat)) ||
	    !threads_file(pid, tid, "schedstat", sched, sizeof(sched)))
		return; /* it has ended */
	state = threads_state(stat);
	cpu_ns = strtoull(sched, &rest, 10);
	waited_ns = strtoull(rest, NULL, 10);
	sum->cpu_ns += cpu_ns;
	sum->waited_ns += waited_ns;
	sum->n_blocked += state == 'D';
	if (text)
		buf_addf(text, "thread %s: state %c, ran %.3f s, waited %.3f s for a CPU\n", tid,
			 state, (double)cpu_ns / 1e9, (double)waited_ns / 1e9);
}

void threads_read(pid_t pid, struct threads *sum, struct buf *text)
{
	const struct dirent *entry;
	char path[64];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks)))
		if (entry->d_name[0] != '.')
			threads_one(pid, entry->d_name, sum, text);
	if (tasks)
		closedir(tasks);
}
