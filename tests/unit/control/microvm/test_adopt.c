/* What is done about a microVM of before a restart. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "control/microvm/adopt.h"

static void test_what_ran_before_is_taken_over_truly(void **unused)
{
	static const struct {
		struct adopt_facts facts; /* state, found, run_hook, draft, saved */
		enum adopt_do what;
	} rows[] = {
		{ { VM_PENDING, FOUND_NOTHING, false, false, false }, ADOPT_RESTART },
		{ { VM_PENDING, FOUND_PAUSED, true, false, false }, ADOPT_IDENTIFY },
		{ { VM_PENDING, FOUND_RUNNING, false, false, false }, ADOPT_IDENTIFY },
		{ { VM_PENDING, FOUND_RUNNING, true, false, false }, ADOPT_RESTART },
		{ { VM_RUNNING, FOUND_RUNNING, false, false, false }, ADOPT_KEEP },
		{ { VM_RUNNING, FOUND_PAUSED, false, false, false }, ADOPT_CONTINUE },
		{ { VM_RUNNING, FOUND_NOTHING, false, false, false }, ADOPT_LOST },
		{ { VM_SUSPENDING, FOUND_RUNNING, false, false, false }, ADOPT_SAVE },
		{ { VM_SUSPENDING, FOUND_PAUSED, false, false, false }, ADOPT_SAVE },
		{ { VM_SUSPENDING, FOUND_NOTHING, false, false, true }, ADOPT_SAVED },
		{ { VM_SUSPENDING, FOUND_NOTHING, false, false, false }, ADOPT_LOST },
		{ { VM_SUSPENDING, FOUND_NOTHING, false, true, false }, ADOPT_PUBLISH },
		{ { VM_SUSPENDING, FOUND_PAUSED, false, true, false }, ADOPT_SAVE },
		{ { VM_SUSPENDED, FOUND_NOTHING, false, false, false }, ADOPT_KEEP },
		{ { VM_TERMINATING, FOUND_RUNNING, false, false, false }, ADOPT_END },
		{ { VM_TERMINATING, FOUND_NOTHING, false, false, false }, ADOPT_END },
		{ { VM_TERMINATED, FOUND_NOTHING, false, false, false }, ADOPT_KEEP },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(adopt_decide(&rows[i].facts), rows[i].what);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_ran_before_is_taken_over_truly),
	};

	return cmocka_run_group_tests_name("control/microvm/adopt", tests, NULL, NULL);
}
