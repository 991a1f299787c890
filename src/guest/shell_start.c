/* shell_start.c - the terminal and the process of a shell. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "guest/container.h"
#include "guest/door.h"
#include "guest/shell.h"
#include "guest/shell_parts.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

#define SHELL_CGROUP "shell-"
#define SHELL_REPORT 3 /* the child's descriptor; below it is the terminal */
#define SHELL_PROMPT "\xce\xbb $ "

static const struct {
	const char *path, *name;
} shell_programs[] = {
	{ "/bin/bash", "bash" },  { "/usr/bin/bash", "bash" }, { "/usr/local/bin/bash", "bash" },
	{ "/bin/sh", "sh" },      { "/usr/bin/sh", "sh" },     { "/busybox/sh", "sh" },
	{ "/bin/busybox", "sh" },
};

/* bash reads the image's files before it prompts, and they may set another prompt.  The user may
 * still choose one of his own, so ours is set once. */
static const char *const shell_variables[][2] = {
	{ "TERM", "xterm" },
	{ "PS1", SHELL_PROMPT },
	{ "PROMPT_COMMAND", "PS1='" SHELL_PROMPT "'; unset PROMPT_COMMAND" },
};

/* @like is a copy of our own: this is the child. */
static _Noreturn void shell_exec(struct app_spec *like)
{
	static struct user user;
	struct err e = { 0 };

	free(like->user);
	like->user = NULL; /* root, whoever the application is */
	setsid();
	if (ioctl(STDIN_FILENO, TIOCSCTTY, 0))
		err_sys(&e, "take the terminal");
	else if (!privs_lookup(like, &user, &e)) {
		container_environment(like, &user);
		spec_env_set(like, "HOME", user.home);
		for (size_t i = 0; i < ARRAY_SIZE(shell_variables); i++)
			spec_env_set(like, shell_variables[i][0], shell_variables[i][1]);
		if (chdir(like->workdir && *like->workdir ? like->workdir : "/"))
			(void)!chdir("/");
		if (!privs_drop(like, &user, &e)) {
			environ = like->env;
			for (size_t i = 0; i < ARRAY_SIZE(shell_programs); i++) {
				char *argv[] = { (char *)(uintptr_t)shell_programs[i].name, NULL };

				execv(shell_programs[i].path, argv);
			}
			err_set(&e, ERR_NOT_FOUND,
				"the image has no shell: there is neither bash nor sh in it");
		}
	}
	(void)!write(SHELL_REPORT, e.text, strlen(e.text));
	_exit(CONTAINER_MISSING);
}

/* The descriptors may stand where they have to go, so they are moved out of the way first. */
static bool shell_take_files(int slave, int report)
{
	int at = fcntl(slave, F_DUPFD_CLOEXEC, 16), to = fcntl(report, F_DUPFD_CLOEXEC, 16);

	return at >= 0 && to >= 0 && dup2(at, STDIN_FILENO) >= 0 && dup2(at, STDOUT_FILENO) >= 0 &&
	       dup2(at, STDERR_FILENO) >= 0 && dup3(to, SHELL_REPORT, O_CLOEXEC) >= 0;
}

static _Noreturn void shell_child(const struct app_spec *like, const struct door *door, int slave,
				  int report)
{
	struct app_spec spec = *like;
	int pid;

	if (door_enter(door) || !shell_take_files(slave, report)) {
		dprintf(report, "enter the container: %s", strerror(errno));
		_exit(CONTAINER_FAILED);
	}
	/* What the agent has open is nothing for processes of the container to look at. */
	syscall(SYS_close_range, SHELL_REPORT + 1, ~0U, 0);
	pid = fork();
	if (!pid)
		shell_exec(&spec);
	close(SHELL_REPORT);
	door_wait(pid);
}

void shell_sweep(void)
{
	DIR *groups = opendir(CONTAINER_CGROUP);
	struct dirent *entry;

	while (groups && (entry = readdir(groups)))
		if (!strncmp(entry->d_name, SHELL_CGROUP, strlen(SHELL_CGROUP)))
			unlinkat(dirfd(groups), entry->d_name, AT_REMOVEDIR);
	if (groups)
		closedir(groups);
}

/* The terminal is one of the container's, so that its processes find it by name. */
static int shell_open_terminal(struct shell *s, int application, int *slave, struct err *e)
{
	char path[64];
	int off = 0;

	snprintf(path, sizeof(path), "/proc/%d/root/dev/pts/ptmx", application);
	s->terminal = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (s->terminal < 0 || ioctl(s->terminal, TIOCSPTLCK, &off))
		return err_sys(e, "open a terminal of the container");
	*slave = ioctl(s->terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *slave < 0 ? err_sys(e, "open the other end of the terminal") : 0;
}

int shell_start(struct shell *s, int application, const struct app_spec *like, struct err *e)
{
	autofree char *cgroup = xasprintf(CONTAINER_CGROUP "/" SHELL_CGROUP "%llu",
					  (unsigned long long)++s->all->made);
	struct door door = DOOR_SHUT;
	autoclose int slave = -1, report = -1;
	int ends[2];

	if (mkdir(cgroup, 0755))
		return err_sys(e, "make a cgroup for the shell");
	if (pipe2(ends, O_CLOEXEC))
		return err_sys(e, "make a pipe for the shell");
	s->report = ends[0];
	report = ends[1];
	if (io_nonblock(s->report) || shell_open_terminal(s, application, &slave, e))
		return -1;
	s->pid = door_open(&door, application, cgroup) ? -1 : door_fork(&door);
	if (!s->pid)
		shell_child(like, &door, slave, report);
	door_close(&door);
	return s->pid < 0 ? err_sys(e, "make the shell's process") : 0;
}
