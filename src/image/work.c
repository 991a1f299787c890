/* Long work in a forked child.  A pipe tells of its end: a byte that says 0, or its errno. */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/image.h"

struct work {
	uv_poll_t poll;
	int fd;
	pid_t pid;
	void (*done)(void *arg, int rc);
	void *arg;
};

static void work_closed(uv_handle_t *handle)
{
	struct work *w = handle->data;

	close(w->fd);
	free(w);
}

static void work_ready(uv_poll_t *poll, int status, int events)
{
	struct work *w = poll->data;
	int said = 0;
	ssize_t n = read(w->fd, &said, sizeof(said));

	(void)status;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, work_closed);
	if (w->done)
		w->done(w->arg, n == sizeof(said) ? said : -EIO);
}

struct work *work_start(struct image_role *role, int (*fn)(void *arg), void *arg,
			void (*done)(void *arg, int rc), void *done_arg, struct err *e)
{
	struct work *w = xcalloc(1, sizeof(*w));
	pid_t parent = getpid();
	int pipes[2];

	if (pipe2(pipes, 0)) {
		err_sys(e, "make a pipe");
		free(w);
		return NULL;
	}
	w->pid = fork();
	if (!w->pid) {
		int rc;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		rc = fn(arg);
		_exit(write(pipes[1], &rc, sizeof(rc)) == sizeof(rc) ? 0 : 1);
	}
	close(pipes[1]);
	w->fd = pipes[0];
	w->done = done;
	w->arg = done_arg;
	if (w->pid < 0 || uv_poll_init(role->loop, &w->poll, w->fd)) {
		err_sys(e, "start a worker");
		close(w->fd);
		free(w);
		return NULL;
	}
	w->poll.data = w;
	uv_poll_start(&w->poll, UV_READABLE, work_ready);
	return w;
}

void work_forget(struct work *w)
{
	if (w)
		w->done = NULL;
}
