#include "qemu/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"

#define CHILD_LEAN "qemu-lean.so" /* lean.c; beside this program */
#define CHILD_LOAD "LD_PRELOAD="

/* Runs in the child.  The parent may have died before the death signal was set. */
static void child_bind(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
}

/* The environment word that loads CHILD_LEAN, or NULL if it is not installed. */
static char *child_lean(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash, *word;

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	slash = strrchr(self, '/');
	word = xasprintf(CHILD_LOAD "%.*s/" CHILD_LEAN, (int)(slash - self), self);
	return access(word + strlen(CHILD_LOAD), R_OK) ? NULL : word;
}

static void child_run(const struct child_how *how)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char path[] = "PATH=/usr/bin:/bin";
	/* QEMU's threads hardly allocate, and each arena would cost every clone memory. */
	char arenas[] = "MALLOC_ARENA_MAX=1";
	char *const env[] = { path, arenas, child_lean(), NULL };

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	dup2(how->err_fd, STDERR_FILENO);
	for (size_t i = 0; i < how->n_keep; i++)
		if (how->keep[i] >= 0)
			fcntl(how->keep[i], F_SETFD, 0);
	/* Huge pages of zeros would cost each clone 4 MB and its first answer 20 ms. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	execve(how->argv[0], how->argv, env);
	dprintf(STDERR_FILENO, "start %s: %s\n", how->argv[0], strerror(errno));
	_exit(127);
}

static void child_reap(struct child *c, int options)
{
	pid_t ended;

	do
		ended = waitpid(c->pid, &c->status, options);
	while (ended < 0 && errno == EINTR);
	if (!ended)
		return;
	loop_unwatch(c->loop, &c->watch);
	fd_close(&c->pidfd);
	c->pid = 0;
}

static void child_ready(struct watch *w, uint32_t events)
{
	struct child *c = container_of(w, struct child, watch);

	(void)events;
	child_reap(c, WNOHANG);
	if (!c->pid)
		c->ended(c);
}

int child_exec(struct child *c, struct loop *l, const struct child_how *how,
	       void (*ended)(struct child *c), struct err *e)
{
	pid_t parent = getpid();

	*c = (struct child){ .loop = l, .ended = ended, .pidfd = -1 };
	c->pid = fork();
	if (c->pid < 0) {
		c->pid = 0;
		return err_sys(e, "make a process for QEMU");
	}
	if (!c->pid) {
		child_bind(parent);
		child_run(how);
	}
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pidfd < 0 || loop_watch(l, &c->watch, c->pidfd, EPOLLIN, child_ready, e)) {
		child_kill(c);
		return err_sys(e, "watch the process of QEMU");
	}
	return 0;
}

void child_kill(struct child *c)
{
	if (!c->pid)
		return;
	kill(c->pid, SIGKILL);
	child_reap(c, 0);
}

/* The pipe carries one byte, 0 or 1, and then the output or a struct err. */
static void work_child(work_run *run, const void *arg, int fd)
{
	struct buf out = { 0 };
	struct err why;
	uint8_t failed = run(arg, &out, &why) ? 1 : 0;

	if (io_write_full(fd, &failed, 1) ||
	    io_write_full(fd, failed ? (const void *)&why : out.data,
			  failed ? sizeof(why) : out.size))
		_exit(1);
	_exit(0);
}

static void work_end(struct work *w)
{
	struct buf result = w->result;
	int status = 0;
	struct err why;

	loop_unwatch(w->loop, &w->watch);
	fd_close(&w->fd);
	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	w->pid = 0;
	w->result = (struct buf){ 0 };
	if (!WIFEXITED(status) || WEXITSTATUS(status) || !result.size)
		err_set(&why, ERR_INTERNAL, "a worker process died (wait status %d)", status);
	else if (result.data[0] && result.size == 1 + sizeof(why))
		memcpy(&why, result.data + 1, sizeof(why));
	else
		why.text[0] = '\0';
	if (why.text[0])
		w->done(w, NULL, 0, &why);
	else
		w->done(w, result.data + 1, result.size - 1, NULL);
	buf_free(&result);
}

static void work_ready(struct watch *watch, uint32_t events)
{
	struct work *w = container_of(watch, struct work, watch);
	ssize_t n;

	(void)events;
	buf_reserve(&w->result, 64 * KIB);
	n = read(w->fd, w->result.data + w->result.size, 64 * KIB);
	if (n > 0)
		w->result.size += (size_t)n;
	else if (!n || errno != EINTR)
		work_end(w);
}

int work_start(struct work *w, struct loop *l, work_run *run, const void *arg,
	       void (*done)(struct work *w, const uint8_t *out, size_t size, const struct err *why),
	       struct err *e)
{
	pid_t parent = getpid();
	int pair[2];

	assert(!w->pid);
	*w = (struct work){ .loop = l, .done = done, .fd = -1 };
	if (pipe2(pair, O_CLOEXEC))
		return err_sys(e, "make a pipe");
	w->pid = fork();
	if (!w->pid) {
		child_bind(parent);
		close(pair[0]);
		work_child(run, arg, pair[1]);
	}
	close(pair[1]);
	w->fd = pair[0];
	if (w->pid < 0) {
		w->pid = 0;
		fd_close(&w->fd);
		return err_sys(e, "make a worker process");
	}
	if (loop_watch(l, &w->watch, w->fd, EPOLLIN, work_ready, e)) {
		work_kill(w);
		return -1;
	}
	return 0;
}

void work_kill(struct work *w)
{
	if (!w->pid)
		return;
	kill(w->pid, SIGKILL);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	w->pid = 0;
	loop_unwatch(w->loop, &w->watch);
	fd_close(&w->fd);
	buf_free(&w->result);
}
