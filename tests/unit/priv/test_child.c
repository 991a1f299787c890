/* A child of priv that cannot be made leaves nothing to end. */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>

#include <cmocka.h>

#include "priv/child.h"

static unsigned killed;
static pid_t last;

pid_t __wrap_fork(void);
int __wrap_kill(pid_t pid, int sig);

pid_t __wrap_fork(void)
{
	errno = EAGAIN;
	return -1;
}

int __wrap_kill(pid_t pid, int sig)
{
	(void)sig;
	killed++;
	last = pid;
	return 0;
}

static int run(void *arg)
{
	(void)arg;
	return 0;
}

static void ended(struct child *c, int status)
{
	(void)c;
	(void)status;
	fail();
}

static void test_a_refused_fork_leaves_nothing_to_kill(void **unused)
{
	struct child c;
	struct err e;
	struct loop *l = loop_new(&e);

	(void)unused;
	assert_non_null(l);
	assert_int_equal(child_start(l, &c, run, NULL, ended, &e), -1);
	assert_int_equal(c.pid, 0);
	child_kill(&c);
	assert_int_equal(killed, 0);
	loop_free(l);
}

static void test_no_process_but_a_child_is_ever_killed(void **unused)
{
	struct child c = { .pid = -1 };

	(void)unused;
	child_kill(&c);
	assert_int_equal(killed, 0);
	c.pid = 7;
	child_kill(&c);
	assert_int_equal(killed, 1);
	assert_int_equal(last, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_refused_fork_leaves_nothing_to_kill),
		cmocka_unit_test(test_no_process_but_a_child_is_ever_killed),
	};

	return cmocka_run_group_tests_name("priv/child", tests, NULL, NULL);
}
