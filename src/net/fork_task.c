/* A pipe carries the result, or ends without one if the child dies. Everything that can fail is
 * done before the fork, which is the last step. */

#include "net/fork_task.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"

struct fork_task {
	uv_poll_t poll;
	int fd; /* owned: the read end */
	pid_t pid;
	fork_task_done *done; /* NULL: forgotten */
	void *arg;
};

/* What the child needs is put together before the fork. */
struct fork_task_child {
	fork_task_fn *fn;
	void *arg;
	int result_fd;
	int keep[FORK_TASK_KEEPS + 1]; /* ascending */
	size_t n_keep;
	pid_t parent;
};

static void fork_task_keep(struct fork_task_child *c, int fd)
{
	size_t i = c->n_keep;

	if (fd <= STDERR_FILENO)
		return;
	assert(c->n_keep < ARRAY_SIZE(c->keep));
	for (; i && c->keep[i - 1] > fd; i--)
		c->keep[i] = c->keep[i - 1];
	c->keep[i] = fd;
	c->n_keep++;
}

/* Closes all descriptors between the kept ones. */
static int fork_task_close_others(const struct fork_task_child *c)
{
	unsigned from = STDERR_FILENO + 1;

	for (size_t i = 0; i < c->n_keep; i++) {
		unsigned kept = (unsigned)c->keep[i];

		if (kept > from && close_range(from, kept - 1, 0))
			return -errno;
		if (kept >= from)
			from = kept + 1;
	}
	return close_range(from, UINT_MAX, 0) ? -errno : 0;
}

static _Noreturn void fork_task_run(const struct fork_task_child *c)
{
	int rc;

	/* The parent may have died before the death signal was set. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != c->parent)
		_exit(1);
	rc = fork_task_close_others(c);
	if (!rc)
		rc = c->fn(c->arg);
	_exit(io_write_full(c->result_fd, &rc, sizeof(rc)) ? 1 : 0);
}

/* Every signal stays blocked in the child, because a handler of the parent would write to a
 * descriptor number that may be another file by then. */
static pid_t fork_task_fork(const struct fork_task_child *c)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (!pid)
		fork_task_run(c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static void fork_task_closed(uv_handle_t *handle)
{
	struct fork_task *t = handle->data;

	fd_close(&t->fd);
	free(t);
}

static void fork_task_ready(uv_poll_t *poll, int status, int events)
{
	struct fork_task *t = poll->data;
	int result = 0;
	ssize_t n = read(t->fd, &result, sizeof(result));

	(void)status;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	while (waitpid(t->pid, NULL, 0) < 0 && errno == EINTR)
		;
	uv_poll_stop(&t->poll);
	uv_close((uv_handle_t *)&t->poll, fork_task_closed);
	if (t->done)
		t->done(t->arg, n == (ssize_t)sizeof(result) ? result : -EIO);
}

/* Makes everything but the child. Returns the write end of the pipe, or -1. */
static int fork_task_prepare(struct fork_task *t, uv_loop_t *loop)
{
	int pair[2], rc;

	if (pipe2(pair, O_CLOEXEC))
		return -1;
	t->fd = pair[0];
	t->poll.data = t;
	rc = uv_poll_init(loop, &t->poll, t->fd);
	if (!rc)
		return pair[1];
	close(pair[0]);
	close(pair[1]);
	errno = -rc;
	return -1;
}

struct fork_task *fork_task_start(uv_loop_t *loop, fork_task_fn *fn, void *fn_arg, const int *keep,
				  size_t n_keep, fork_task_done *done, void *done_arg,
				  struct err *e)
{
	struct fork_task_child c = { .fn = fn, .arg = fn_arg, .parent = getpid() };
	struct fork_task *t = xcalloc(1, sizeof(*t));

	t->done = done;
	t->arg = done_arg;
	c.result_fd = fork_task_prepare(t, loop);
	if (c.result_fd < 0) {
		err_sys(e, "start a worker process");
		free(t);
		return NULL;
	}
	for (size_t i = 0; i < n_keep; i++)
		fork_task_keep(&c, keep[i]);
	fork_task_keep(&c, c.result_fd);
	t->pid = fork_task_fork(&c);
	if (t->pid < 0) {
		err_sys(e, "start a worker process");
		close(c.result_fd);
		uv_close((uv_handle_t *)&t->poll, fork_task_closed);
		return NULL;
	}
	close(c.result_fd);
	uv_poll_start(&t->poll, UV_READABLE, fork_task_ready);
	return t;
}

void fork_task_kill(struct fork_task *t)
{
	kill(t->pid, SIGKILL);
}

void fork_task_forget(struct fork_task *t)
{
	if (t)
		t->done = NULL;
}
