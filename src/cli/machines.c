#include "cli/machines.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/proc.h"

#define FACT_MAX 64
#define OWNER    "control" /* the owner of machines that are no build's */

static char *machine_fact(int dir, const char *machine, const char *name)
{
	autofree char *path = xasprintf("%s/%s", machine, name);
	autoclose int fd = io_open_below(dir, path, O_RDONLY, 0);
	autobuf struct buf text = { 0 };

	if (fd < 0 || io_read_all(fd, &text, FACT_MAX))
		return NULL;
	return xstrdup(buf_str(&text));
}

/* The pid alone may belong to another process by now. */
static bool machine_lives(int dir, const char *machine)
{
	autofree char *owner = machine_fact(dir, machine, "owner");
	autofree char *pid = machine_fact(dir, machine, "pid");
	uint64_t started;
	char *rest;
	long number;

	if (!owner || !pid || strcmp(owner, OWNER) != 0)
		return false;
	number = strtol(pid, &rest, 10);
	started = strtoull(rest, NULL, 10);
	return number > 1 && started && proc_start_time((pid_t)number) == started;
}

unsigned machines_alive(const char *run_dir)
{
	autofree char *path = xasprintf("%s/m", run_dir);
	DIR *all = opendir(path);
	struct dirent *entry;
	unsigned n = 0;

	if (!all)
		return 0;
	while ((entry = readdir(all)))
		if (entry->d_name[0] != '.' && machine_lives(dirfd(all), entry->d_name))
			n++;
	closedir(all);
	return n;
}
