/* Which program is exercised. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guest/exercise.h"

static void test_python_is_known_by_its_name_wherever_it_lies(void **unused)
{
	static const char *const known[] = { "/usr/bin/python3.11", "/usr/bin/python3",
					     "/opt/x/bin/python3.13", "python3" };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		assert_non_null(exercise_for(known[i]));
}

static void test_other_programs_are_left_alone(void **unused)
{
	static const char *const other[] = { "/usr/bin/node", "/bin/sh", "/usr/bin/python2.7",
					     "/python3/bin/app", "" };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		assert_null(exercise_for(other[i]));
}

static void test_every_exercise_is_isolated_and_ends_its_words(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < exercises_count; i++) {
		assert_non_null(exercises[i].name);
		assert_string_equal(exercises[i].argv[0], "-I");
		assert_null(exercises[i].argv[EXERCISE_WORDS - 1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_python_is_known_by_its_name_wherever_it_lies),
		cmocka_unit_test(test_other_programs_are_left_alone),
		cmocka_unit_test(test_every_exercise_is_isolated_and_ends_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
