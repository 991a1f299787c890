/* The count of killed processes in the kernel's text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "guest/oom.h"

static void test_the_count_is_that_of_its_own_line(void **unused)
{
	(void)unused;
	assert_int_equal(oom_count("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n"),
			 2);
	assert_int_equal(oom_count("oom_kill 7\n"), 7);
	assert_int_equal(oom_count("xoom_kill 7\noom_kill_x 8\n"), 0);
	assert_int_equal(oom_count("oom_kill"), 0);
	assert_int_equal(oom_count("\n\n"), 0);
	assert_int_equal(oom_count(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_count_is_that_of_its_own_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
