/* What /proc says of a process. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/proc.h"

static void test_a_process_keeps_its_start_time_until_it_is_dead(void **unused)
{
	siginfo_t info;
	pid_t pid;

	(void)unused;
	assert_true(proc_start_time(getpid()) > 0);
	assert_int_equal(proc_start_time(getpid()), proc_start_time(getpid()));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(proc_start_time(pid), 0); /* not reaped yet */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(proc_start_time(pid), 0);
}

static void test_a_name_like_a_line_of_stat_is_not_believed(void **unused)
{
	uint64_t before = proc_start_time(getpid());

	(void)unused;
	assert_int_equal(prctl(PR_SET_NAME, "x) Z 1 (y", 0, 0, 0), 0);
	assert_int_equal(proc_start_time(getpid()), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_process_keeps_its_start_time_until_it_is_dead),
		cmocka_unit_test(test_a_name_like_a_line_of_stat_is_not_believed),
	};

	return cmocka_run_group_tests_name("base/proc", tests, NULL, NULL);
}
