#include "guest/door.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/container.h"

#define DOOR_NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)

int door_open(struct door *d, int application, const char *cgroup)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", application);
	d->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d->pid = (int)syscall(SYS_pidfd_open, application, 0);
	d->cgroup = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return d->root < 0 || d->pid < 0 || d->cgroup < 0 ? -1 : 0;
}

void door_close(struct door *d)
{
	fd_close(&d->root);
	fd_close(&d->pid);
	fd_close(&d->cgroup);
}

int door_fork(const struct door *d)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP,
				   .exit_signal = SIGCHLD,
				   .cgroup = (unsigned)d->cgroup };

	return (int)syscall(SYS_clone3, &args, sizeof(args));
}

int door_enter(const struct door *d)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	return setns(d->pid, DOOR_NAMESPACES) || fchdir(d->root) || chroot(".") ? -1 : 0;
}

void door_wait(int pid)
{
	int status = 0;

	if (pid < 0)
		_exit(CONTAINER_FAILED);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}
