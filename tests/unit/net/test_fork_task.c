/* Work in a forked child: its result, its death, what it holds, and what a failed start leaves. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/fork_task.h"

#define NEVER 12345

static int fork_errno, poll_errno, pipe_errno; /* what the next call fails with; 0: it does not */

pid_t __real_fork(void);
pid_t __wrap_fork(void)
{
	if (!fork_errno)
		return __real_fork();
	errno = fork_errno;
	return -1;
}

int __real_uv_poll_init(uv_loop_t *loop, uv_poll_t *poll, int fd);
int __wrap_uv_poll_init(uv_loop_t *loop, uv_poll_t *poll, int fd)
{
	return poll_errno ? -poll_errno : __real_uv_poll_init(loop, poll, fd);
}

int __real_pipe2(int fds[2], int flags);
int __wrap_pipe2(int fds[2], int flags)
{
	if (!pipe_errno)
		return __real_pipe2(fds, flags);
	errno = pipe_errno;
	return -1;
}

struct fixture {
	uv_loop_t loop;
	int *ran; /* shared with children */
	int rc;
	unsigned told;
};

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fork_errno = poll_errno = pipe_errno = 0;
	f->rc = NEVER;
	f->ran = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(f->ran != MAP_FAILED);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	munmap(f->ran, 4096);
	free(f);
	return 0;
}

static void on_done(void *arg, int rc)
{
	struct fixture *f = arg;

	f->told++;
	f->rc = rc;
}

static struct fork_task *start(struct fixture *f, fork_task_fn *fn, void *arg, const int *keep,
			       size_t n_keep)
{
	struct err e;
	struct fork_task *t = fork_task_start(&f->loop, fn, arg, keep, n_keep, on_done, f, &e);

	assert_non_null(t);
	return t;
}

static unsigned open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int mark(void *arg)
{
	*(int *)arg = 1;
	return 0;
}

static int returns(void *arg)
{
	return *(int *)arg;
}

static void what_the_work_returns_is_told_once(void **state)
{
	static int results[] = { 0, -ENOSPC, -EIO, -4095, 7 };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		f->told = 0;
		start(f, returns, &results[i], NULL, 0);
		uv_run(&f->loop, UV_RUN_DEFAULT);
		assert_int_equal(f->told, 1);
		assert_int_equal(f->rc, results[i]);
	}
}

static int dies(void *arg)
{
	(void)arg;
	raise(SIGKILL);
	return 0;
}

static int leaves(void *arg)
{
	(void)arg;
	_exit(0);
}

static void a_child_that_dies_before_it_returns_is_eio(void **state)
{
	static fork_task_fn *const ways[] = { dies, leaves };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		f->rc = NEVER;
		start(f, ways[i], NULL, NULL, 0);
		uv_run(&f->loop, UV_RUN_DEFAULT);
		assert_int_equal(f->rc, -EIO);
	}
	assert_int_equal(waitpid(-1, NULL, 0), -1);
	assert_int_equal(errno, ECHILD);
}

/* Nothing ran, nothing will, and nothing is left open. */
static void assert_start_fails(struct fixture *f, int errnum)
{
	unsigned before = open_descriptors();
	struct err e = { 0 };

	assert_null(fork_task_start(&f->loop, mark, f->ran, NULL, 0, on_done, f, &e));
	assert_non_null(strstr(e.text, strerror(errnum)));
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(waitpid(-1, NULL, 0), -1); /* there is no child that may still run it */
	assert_int_equal(errno, ECHILD);
	assert_int_equal(*f->ran, 0);
	assert_int_equal(f->told, 0);
	assert_int_equal(open_descriptors(), before);
}

static void a_refused_fork_runs_nothing(void **state)
{
	fork_errno = EAGAIN;
	assert_start_fails(*state, EAGAIN);
}

static void a_loop_that_cannot_watch_runs_nothing(void **state)
{
	poll_errno = ENOMEM;
	assert_start_fails(*state, ENOMEM);
}

static void a_process_without_descriptors_left_runs_nothing(void **state)
{
	pipe_errno = EMFILE;
	assert_start_fails(*state, EMFILE);
}

struct held {
	int *seen; /* shared: the descriptors above 2 that the child has */
	size_t most;
};

/* Each number is tried: a directory stream would itself be one of them. */
static int lists_descriptors(void *arg)
{
	const struct held *h = arg;
	size_t n = 0;

	for (int fd = 3; fd < 1024 && n < h->most; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			h->seen[n++] = fd;
	h->seen[n] = -1;
	return 0;
}

static void the_child_has_the_named_descriptors_and_its_pipe_only(void **state)
{
	struct fixture *f = *state;
	int others[4], keep[4];
	struct held h = { f->ran, 64 };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		others[i] = open("/dev/null", O_RDONLY); /* not even close-on-exec */
		keep[i] = open("/dev/zero", O_RDONLY);
	}
	/* In no order, one twice, and one that is not there. */
	start(f, lists_descriptors, &h, (int[]){ keep[3], -1, keep[0], keep[1], keep[3], 1 }, 6);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->rc, 0);
	assert_int_equal(h.seen[0], keep[0]);
	assert_int_equal(h.seen[1], keep[1]);
	assert_int_equal(h.seen[2], keep[3]);
	assert_true(h.seen[3] > keep[3]); /* the result's pipe */
	assert_int_equal(h.seen[4], -1);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		close(others[i]);
		close(keep[i]);
	}
}

static int waits_for_a_byte(void *arg)
{
	char byte;

	return read(*(int *)arg, &byte, 1) == 1 ? 0 : -EPIPE;
}

static void a_socket_that_the_caller_closes_reaches_its_end(void **state)
{
	struct fixture *f = *state;
	int peer[2], go[2];
	char byte;

	assert_int_equal(pipe(peer), 0);
	assert_int_equal(pipe(go), 0);
	start(f, waits_for_a_byte, &go[0], &go[0], 1);
	close(peer[1]);
	/* The child closes its copy as its first step. */
	assert_int_equal(poll(&(struct pollfd){ .fd = peer[0], .events = POLLIN }, 1, 10000), 1);
	assert_int_equal(read(peer[0], &byte, 1), 0);
	assert_int_equal(f->told, 0); /* it still runs */
	assert_int_equal(write(go[1], "x", 1), 1);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->rc, 0);
	close(peer[0]);
	close(go[0]);
	close(go[1]);
}

static void a_forgotten_task_goes_on_and_tells_nobody(void **state)
{
	struct fixture *f = *state;
	struct fork_task *t = start(f, mark, f->ran, NULL, 0);

	fork_task_forget(t);
	fork_task_forget(NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(*f->ran, 1);
	assert_int_equal(f->told, 0);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
}

static int never_returns(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

static void a_killed_task_is_told_when_it_is_gone(void **state)
{
	struct fixture *f = *state;
	struct fork_task *t = start(f, never_returns, NULL, NULL, 0);

	fork_task_kill(t);
	fork_task_kill(t);
	assert_int_equal(f->told, 0);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->told, 1);
	assert_int_equal(f->rc, -EIO);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
}

static int terminates_itself(void *arg)
{
	(void)arg;
	raise(SIGTERM);
	raise(SIGINT);
	raise(SIGPIPE);
	return 0;
}

static void a_signal_to_the_process_group_does_not_cut_the_work_off(void **state)
{
	struct fixture *f = *state;
	sigset_t before, after;

	sigprocmask(SIG_SETMASK, NULL, &before);
	start(f, terminates_itself, NULL, NULL, 0);
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (int i = 1; i < NSIG; i++)
		assert_int_equal(sigismember(&before, i), sigismember(&after, i));
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->rc, 0);
}

static int allocates(void *arg)
{
	char *text = xasprintf("%*d", 100000, 7);
	int rc = strlen(text) == 100000 ? 0 : -EIO;

	(void)arg;
	free(text);
	return rc;
}

static void keeps_allocating(void *arg)
{
	atomic_bool *stop = arg;

	while (!atomic_load(stop))
		free(malloc(100));
}

static void the_work_may_allocate_though_another_thread_does(void **state)
{
	struct fixture *f = *state;
	atomic_bool stop = false;
	uv_thread_t thread;

	assert_int_equal(uv_thread_create(&thread, keeps_allocating, &stop), 0);
	for (int i = 0; i < 50; i++) {
		f->rc = NEVER;
		start(f, allocates, NULL, NULL, 0);
		uv_run(&f->loop, UV_RUN_DEFAULT);
		assert_int_equal(f->rc, 0);
	}
	atomic_store(&stop, true);
	uv_thread_join(&thread);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_the_work_returns_is_told_once, begin, end),
		cmocka_unit_test_setup_teardown(a_child_that_dies_before_it_returns_is_eio, begin,
						end),
		cmocka_unit_test_setup_teardown(a_refused_fork_runs_nothing, begin, end),
		cmocka_unit_test_setup_teardown(a_loop_that_cannot_watch_runs_nothing, begin, end),
		cmocka_unit_test_setup_teardown(a_process_without_descriptors_left_runs_nothing,
						begin, end),
		cmocka_unit_test_setup_teardown(
			the_child_has_the_named_descriptors_and_its_pipe_only, begin, end),
		cmocka_unit_test_setup_teardown(a_socket_that_the_caller_closes_reaches_its_end,
						begin, end),
		cmocka_unit_test_setup_teardown(a_forgotten_task_goes_on_and_tells_nobody, begin,
						end),
		cmocka_unit_test_setup_teardown(a_killed_task_is_told_when_it_is_gone, begin, end),
		cmocka_unit_test_setup_teardown(
			a_signal_to_the_process_group_does_not_cut_the_work_off, begin, end),
		cmocka_unit_test_setup_teardown(the_work_may_allocate_though_another_thread_does,
						begin, end),
	};

	alarm(60);
	return cmocka_run_group_tests_name("fork_task", tests, NULL, NULL);
}
