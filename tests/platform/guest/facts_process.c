#include "facts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void process_status(void)
{
	static const char *const wanted[] = {
		"Umask:",      "Pid:",       "PPid:",        "Uid:",    "Gid:",    "Groups:",
		"NStgid:",     "SigPnd:",    "ShdPnd:",      "SigBlk:", "SigIgn:", "SigCgt:",
		"CapInh:",     "CapPrm:",    "CapEff:",      "CapBnd:", "CapAmb:", "Seccomp:",
		"NoNewPrivs:", "TracerPid:", "CoreDumping:",
	};
	char text[8192], *line, *rest = text;

	fact_file("/proc/self/status", text, sizeof(text));
	while ((line = strsep(&rest, "\n")))
		for (size_t i = 0; i < COUNT(wanted); i++)
			if (!strncmp(line, wanted[i], strlen(wanted[i]))) {
				char name[32];
				char *value = line + strlen(wanted[i]);

				snprintf(name, sizeof(name), "status %.*s",
					 (int)strlen(wanted[i]) - 1, wanted[i]);
				value += strspn(value, " \t");
				for (char *at = value; *at; at++)
					*at = *at == '\t' ? ' ' : *at;
				while (*value && value[strlen(value) - 1] == ' ')
					value[strlen(value) - 1] = '\0';
				fact(name, "%s", value);
			}
}

static void process_limits(void)
{
	static const char *const names[] = { "cpu",      "fsize", "data",   "stack",
					     "core",     "rss",   "nproc",  "nofile",
					     "memlock",  "as",    "locks",  "sigpending",
					     "msgqueue", "nice",  "rtprio", "rttime" };

	for (size_t i = 0; i < COUNT(names); i++) {
		struct rlimit limit;
		char name[32], text[2][32];

		getrlimit((int)i, &limit);
		for (int half = 0; half < 2; half++) {
			rlim_t n = half ? limit.rlim_max : limit.rlim_cur;

			snprintf(text[half], 32, n == RLIM_INFINITY ? "unlimited" : "%llu",
				 (unsigned long long)n);
		}
		snprintf(name, sizeof(name), "limit %s", names[i]);
		fact(name, "%s %s", text[0], text[1]);
	}
}

static void process_attributes(void)
{
	static const struct {
		const char *name;
		int what;
	} flags[] = {
		{ "securebits", PR_GET_SECUREBITS },
		{ "dumpable", PR_GET_DUMPABLE },
		{ "keepcaps", PR_GET_KEEPCAPS },
		{ "timer slack", PR_GET_TIMERSLACK },
		{ "huge pages off", 42 },
	};
	char text[256];
	int number = 0;

	for (size_t i = 0; i < COUNT(flags); i++)
		fact(flags[i].name, "%d", prctl(flags[i].what, 0, 0, 0, 0));
	prctl(PR_GET_PDEATHSIG, &number);
	fact("parent death signal", "%d", number);
	prctl(PR_GET_CHILD_SUBREAPER, &number);
	fact("subreaper", "%d", number);
	fact("session", "%d", getsid(0));
	fact("process group", "%d", getpgid(0));
	fact("scheduler", "%d", sched_getscheduler(0));
	fact("nice", "%d", getpriority(PRIO_PROCESS, 0));
	fact("io priority", "%ld", syscall(SYS_ioprio_get, 1, 0));
	fact("personality", "%d", personality(0xffffffff));
	fact("oom_score_adj", "%s", fact_file("/proc/self/oom_score_adj", text, sizeof(text)));
	fact("coredump_filter", "%s", fact_file("/proc/self/coredump_filter", text, sizeof(text)));
	fact("uid_map", "%s", fact_file("/proc/self/uid_map", text, sizeof(text)));
	fact("setgroups", "%s", fact_file("/proc/self/setgroups", text, sizeof(text)));
	fact("cmdline", "%s", fact_file("/proc/self/cmdline", text, sizeof(text)));
	fact("comm", "%s", fact_file("/proc/self/comm", text, sizeof(text)));
	fact("cgroup", "%s", strstr(fact_file("/proc/self/cgroup", text, sizeof(text)), "0::"));
	number = (int)readlink("/proc/self/exe", text, sizeof(text) - 1);
	fact("program", "%.*s", number, text);
	fact("working directory", "%s", getcwd(text, sizeof(text)));
}

static void process_environment(void)
{
	time_t noon = 43200;
	char name[32], text[64];

	for (int i = 0; environ[i]; i++) {
		snprintf(name, sizeof(name), "variable %d", i);
		fact(name, "%s", environ[i]);
	}
	strftime(text, sizeof(text), "%Z %z", localtime(&noon));
	fact("time zone", "%s", text);
}

/* Which descriptors are open, and how standard input, output and error look. */
static void process_descriptors(void)
{
	DIR *all = opendir("/proc/self/fd");
	struct dirent *entry;
	char open_ones[256] = "";

	while ((entry = readdir(all)))
		if (*entry->d_name != '.' && atoi(entry->d_name) != dirfd(all))
			strcat(strcat(open_ones, entry->d_name), " ");
	closedir(all);
	fact("descriptors", "%s", open_ones);
	for (int fd = 0; fd < 3; fd++) {
		char name[32], path[32], target[64];
		ssize_t n;
		struct stat st;

		fstat(fd, &st);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		target[strcspn(target, "[")] = '\0';
		snprintf(name, sizeof(name), "descriptor %d", fd);
		fact(name, "%s %o %u:%u flags %o tty %d", target, st.st_mode, st.st_uid, st.st_gid,
		     fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), isatty(fd));
	}
}

static void process_open_stdio(void)
{
	static const char *const paths[] = { "/dev/stdin",         "/dev/stdout", "/dev/stderr",
					     "/proc/self/fd/1",    "/dev/fd/2",   "/proc/1/fd/1",
					     "/var/log/access.log" };
	static const int modes[] = { O_WRONLY, O_WRONLY | O_APPEND | O_CREAT, O_RDWR,
				     O_WRONLY | O_TRUNC };

	for (size_t i = 0; i < COUNT(paths); i++)
		for (size_t mode = 0; mode < COUNT(modes); mode++) {
			int fd = open(paths[i], modes[mode] | O_CLOEXEC, 0644);
			char name[64];

			snprintf(name, sizeof(name), "open %s %o", paths[i], modes[mode]);
			fact_call(name, fd);
			close(fd);
		}
	fact_call("open /dev/tty", open("/dev/tty", O_RDWR | O_CLOEXEC));
}

/* A child ends before its own child, which then belongs to process 1. */
static void process_orphan(void)
{
	int pipes[2], reaped = 0, parent = 0;

	fflush(stdout);
	if (pipe(pipes))
		return;
	if (!fork()) {
		if (!fork()) {
			while ((parent = getppid()) != 1)
				usleep(1000);
			(void)!write(pipes[1], &parent, sizeof(parent));
		}
		_exit(0);
	}
	(void)!read(pipes[0], &parent, sizeof(parent));
	while (waitpid(-1, NULL, 0) > 0)
		reaped++;
	close(pipes[0]);
	close(pipes[1]);
	fact("orphans", "parent %d, %d reaped", parent, reaped);
}

/* Process 1 does not die of a signal that it does not handle. */
static void process_signals(void)
{
	kill(getpid(), SIGTERM);
	kill(getpid(), SIGINT);
	fact("survives SIGTERM", "yes");
}

void facts_process(void)
{
	process_status();
	process_limits();
	process_attributes();
	process_environment();
	process_descriptors();
	process_open_stdio();
	process_orphan();
	process_signals();
}
