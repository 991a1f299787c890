#include "qemu/urgent.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define URGENT_PASSES 16

bool urgent(void)
{
	return sched_getscheduler(0) == SCHED_RR;
}

/* Returns how many threads were still urgent, or -1. */
static int urgent_pass(const char *path)
{
	const struct sched_param none = { 0 };
	DIR *tasks = opendir(path);
	const struct dirent *entry;
	int n = 0;

	while (tasks && n >= 0 && (entry = readdir(tasks))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid <= 0 || sched_getscheduler(tid) != SCHED_RR)
			continue;
		n = sched_setscheduler(tid, SCHED_OTHER, &none) && errno != ESRCH ? -1 : n + 1;
	}
	if (tasks)
		closedir(tasks);
	return n;
}

/* A thread that is still urgent may make others, so the list is read until it has none. */
bool urgent_end(pid_t pid)
{
	char path[64];
	int n = -1;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	for (int i = 0; i < URGENT_PASSES && n; i++)
		n = urgent_pass(path);
	return !n;
}
