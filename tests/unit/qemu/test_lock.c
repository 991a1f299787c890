/* The system call filter: what a machine has no use for is refused, what it needs works. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "qemu/lock.h"

static bool refused(long rc, int error)
{
	return rc == -1 && errno == error;
}

static void *in_thread(void *arg)
{
	return arg;
}

/* In a child: the number of the first thing that was not as it should be. */
static int try_all(void)
{
	pthread_t thread;
	struct err e;
	int pair[2];
	pid_t pid;

	if (lock_kernel(&e))
		return 1;
	if (!refused(ptrace(PTRACE_TRACEME, 0, NULL, NULL), EPERM))
		return 2;
	if (!refused(syscall(SYS_io_uring_setup, 1, NULL), EPERM))
		return 3;
	if (!refused(syscall(SYS_bpf, 0, NULL, 0), EPERM))
		return 4;
	if (!refused(unshare(CLONE_NEWUSER), EPERM))
		return 5;
	if (!refused(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL), EPERM))
		return 6;
	if (!refused(syscall(SYS_clone3, NULL, 0), ENOSYS))
		return 7;
	if (!refused(socket(AF_NETLINK, SOCK_RAW, 0), EAFNOSUPPORT))
		return 8;
	if (!refused(socket(AF_PACKET, SOCK_RAW, 0), EAFNOSUPPORT))
		return 9;
	if (socket(AF_INET, SOCK_STREAM, 0) < 0)
		return 10;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 11;
	if (pthread_create(&thread, NULL, in_thread, NULL) || pthread_join(thread, NULL))
		return 12;
	pid = fork();
	if (!pid)
		_exit(refused(mount("none", "/", "tmpfs", 0, NULL), EPERM) ? 0 : 1);
	return pid > 0 && waitpid(pid, pair, 0) == pid && !pair[0] ? 0 : 13;
}

static void test_the_filter_refuses_and_allows_as_it_says(void **unused)
{
	pid_t pid = fork();
	int status;

	(void)unused;
	if (!pid)
		_exit(try_all());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_filter_refuses_and_allows_as_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
