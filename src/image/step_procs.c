#include "image/step_procs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "wire/build_lines.h"

#define PROCESSES_MAX   4096
#define PROCESSES_SHOWN 24
#define PROCESS_FILE    (16 * KIB)

/* buildah asks runc ten times a second whether the command has ended, which is no work of the
 * command's. */
static bool step_process_watches(const char *name)
{
	static const char *const names[] = { "buildah-oci-run",
					     "runc" }; /* as the kernel cuts them */

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(name, names[i], strlen(names[i])))
			return true;
	return false;
}

bool step_process_parse(struct step_process *p, const char *stat, int64_t boot_ms, long ticks)
{
	/* The name stands in parentheses and may hold some itself. */
	const char *open = strchr(stat, '('), *close = strrchr(stat, ')');
	uint64_t user, system, user_ended, system_ended, start;
	uint64_t ms = 1000 / (uint64_t)(ticks > 0 ? ticks : 100);

	*p = (struct step_process){ 0 };
	if (!open || !close || close < open ||
	    sscanf(close + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %" SCNu64 " %*d %*d %*d %*d %" SCNu64,
		   &user, &system, &user_ended, &system_ended, &start) != 5)
		return false;
	p->cpu_ms = (user + system) * ms;
	p->children_ms = (user_ended + system_ended) * ms;
	p->age_ms = boot_ms - (int64_t)(start * ms);
	build_text_clean(p->command, sizeof(p->command), open + 1, (size_t)(close - open - 1));
	p->watches = step_process_watches(p->command);
	return true;
}

static int step_process_file(int dir, const char *pid, const char *name, struct buf *to)
{
	autofree char *path = xasprintf("%s/%s", pid, name);
	autoclose int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	int rc;

	buf_clear(to);
	if (fd < 0)
		return -1;
	rc = io_read_all(fd, to, PROCESS_FILE);
	return rc && rc != -EFBIG ? -1 : 0; /* of a long command line the beginning is enough */
}

static void step_process_details(struct step_process *p, int dir, const char *pid)
{
	autobuf struct buf text = { 0 };
	const char *at;

	if (!step_process_file(dir, pid, "cmdline", &text) && text.size)
		/* The words end with NUL, which becomes a blank. */
		build_text_clean(p->command, sizeof(p->command), text.data, text.size);
	/* buildah starts itself anew, and the kernel calls that "exe". */
	p->watches |= step_process_watches(p->command);
	if (!step_process_file(dir, pid, "io", &text) && (at = strstr(buf_str(&text), "wchar: ")))
		p->written = strtoull(at + strlen("wchar: "), NULL, 10);
}

static void step_processes_add(struct step_processes *p, int dir, const char *pid)
{
	autobuf struct buf stat = { 0 };
	struct step_process one;
	char *end;
	long number = strtol(pid, &end, 10);

	if (*end || number <= 1 || number == getpid() ||
	    step_process_file(dir, pid, "stat", &stat) ||
	    !step_process_parse(&one, buf_str(&stat), clock_boot_ms(), sysconf(_SC_CLK_TCK)))
		return;
	one.pid = (pid_t)number;
	step_process_details(&one, dir, pid);
	p->v = xrealloc(p->v, (p->n + 1) * sizeof(*p->v));
	p->v[p->n++] = one;
	p->cpu_ms += one.watches ? 0 : one.cpu_ms + one.children_ms;
	p->written += one.watches ? 0 : one.written;
}

static int step_processes_order(const void *a, const void *b)
{
	const struct step_process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

void step_processes_read(struct step_processes *p, int proc_fd)
{
	int fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	*p = (struct step_processes){ 0 };
	while (dir && p->n < PROCESSES_MAX && (entry = readdir(dir)))
		if (entry->d_name[0] > '0' && entry->d_name[0] <= '9')
			step_processes_add(p, proc_fd, entry->d_name);
	if (dir)
		closedir(dir);
	else
		fd_close(&fd);
	if (p->n)
		qsort(p->v, p->n, sizeof(*p->v), step_processes_order);
}

void step_processes_free(struct step_processes *p)
{
	free(p->v);
	*p = (struct step_processes){ 0 };
}

void step_processes_print(const struct step_processes *p, struct buf *to)
{
	buf_addf(to, "doze:    %7s %8s %8s  %s\n", "pid", "seconds", "cpu s", "command");
	for (size_t i = 0; i < p->n && i < PROCESSES_SHOWN; i++)
		buf_addf(to, "doze:    %7d %8lld %8.2f  %s\n", (int)p->v[i].pid,
			 (long long)(p->v[i].age_ms / 1000), (double)p->v[i].cpu_ms / 1000,
			 p->v[i].command);
	if (p->n > PROCESSES_SHOWN)
		buf_addf(to, "doze:    and %zu more\n", p->n - PROCESSES_SHOWN);
}

/* The youngest come first: the older ones are those of the builder. */
void step_processes_name(const struct step_processes *p, char *to, size_t room)
{
	size_t n = 0;

	*to = '\0';
	for (size_t i = p->n; i-- > 0;) {
		char command[64];
		int size;

		if (p->v[i].watches)
			continue;
		build_text_clean(command, sizeof(command), p->v[i].command,
				 strlen(p->v[i].command));
		size = snprintf(to + n, room - n, "%s%s (pid %d, %lld s)", n ? ", " : "", command,
				(int)p->v[i].pid, (long long)(p->v[i].age_ms / 1000));
		if (size < 0 || (size_t)size >= room - n) {
			to[n] = '\0';
			return;
		}
		n += (size_t)size;
	}
}
