#include "control/storage/work.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

struct work {
	struct list in;
	uv_poll_t poll;
	int pidfd;
	work_done *done;
	void *arg;
};

static void work_closed(uv_handle_t *handle)
{
	struct work *w = handle->data;

	fd_close(&w->pidfd);
	free(w);
}

static void work_ended(uv_poll_t *poll, int status, int events)
{
	struct work *w = poll->data;
	siginfo_t info = { 0 };
	int rc = -EIO;

	(void)status;
	(void)events;
	if (!waitid(P_PIDFD, (id_t)w->pidfd, &info, WEXITED | WNOHANG) && !info.si_pid)
		return;
	if (info.si_code == CLD_EXITED)
		rc = -info.si_status;
	list_del(&w->in);
	uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, work_closed);
	if (w->done)
		w->done(w->arg, rc);
}

static _Noreturn void work_child(work_fn *fn, void *arg, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EINTR);
	_exit(-fn(arg));
}

struct work *work_start(struct control *ctl, work_fn *fn, void *fn_arg, work_done *done,
			void *done_arg, struct err *e)
{
	struct work *w = xcalloc(1, sizeof(*w));
	pid_t parent = getpid(), pid = fork();

	if (!pid)
		work_child(fn, fn_arg, parent);
	w->done = done;
	w->arg = done_arg;
	w->pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (w->pidfd < 0 || uv_poll_init(&ctl->loop, &w->poll, w->pidfd)) {
		err_sys(e, "start a child");
		fd_close(&w->pidfd);
		free(w);
		return NULL;
	}
	w->poll.data = w;
	uv_poll_start(&w->poll, UV_READABLE, work_ended);
	list_add(&ctl->work, &w->in);
	return w;
}

void work_forget(struct work *w)
{
	w->done = NULL;
}
