#include "priv/child.h"

#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child_fork(int (*run)(void *arg), void *arg)
{
	pid_t parent = getpid(), pid = fork();
	sigset_t none;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(run(arg));
}

static void child_ready(struct watch *w, uint32_t events)
{
	struct child *c = container_of(w, struct child, watch);
	int status = -1;

	(void)events;
	waitpid(c->pid, &status, 0);
	loop_unwatch(c->loop, &c->watch);
	fd_close(&c->pidfd);
	c->pid = 0;
	c->ended(c, status);
}

int child_start(struct loop *l, struct child *c, int (*run)(void *arg), void *arg,
		void (*ended)(struct child *c, int status), struct err *e)
{
	pid_t pid = child_fork(run, arg);

	*c = (struct child){ .loop = l, .ended = ended, .pidfd = -1 };
	if (pid < 0)
		return err_sys(e, "fork");
	c->pid = pid;
	c->pidfd = pidfd_open(c->pid, 0);
	if (c->pidfd >= 0 && !loop_watch(l, &c->watch, c->pidfd, EPOLLIN, child_ready, e))
		return 0;
	err_sys(e, "watch a child");
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	fd_close(&c->pidfd);
	c->pid = 0;
	return -1;
}

void child_kill(struct child *c)
{
	if (c->pid > 0) /* -1 would be every process of the host */
		kill(c->pid, SIGKILL);
}

int child_run(int (*run)(void *arg), void *arg)
{
	pid_t pid = child_fork(run, arg);
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status ? -1 : 0;
}
