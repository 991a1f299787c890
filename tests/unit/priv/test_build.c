/* The arguments of a build, as they come behind its request. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "priv/build.h"

static void test_as_many_strings_as_are_said_are_taken(void **unused)
{
	char bytes[] = "step\0build\0\0--x";
	char **argv = build_argv(bytes, sizeof(bytes), 4);

	(void)unused;
	assert_non_null(argv);
	assert_string_equal(argv[0], "step");
	assert_string_equal(argv[1], "build");
	assert_string_equal(argv[2], "");
	assert_string_equal(argv[3], "--x");
	assert_null(argv[4]);
	free(argv);
}

static void test_strings_that_do_not_fill_the_message_are_refused(void **unused)
{
	char bytes[] = "step\0build";

	(void)unused;
	assert_null(build_argv(bytes, sizeof(bytes), 1));
	assert_null(build_argv(bytes, sizeof(bytes), 3));
	assert_null(build_argv(bytes, sizeof(bytes) - 1, 2));
	assert_null(build_argv(bytes, 0, 1));
	assert_null(build_argv(bytes, sizeof(bytes), UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_many_strings_as_are_said_are_taken),
		cmocka_unit_test(test_strings_that_do_not_fill_the_message_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
