/* Which request a machine serves when. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "machine/serve.h"

static const uint32_t requests[] = { MACHINE_BOOT,        MACHINE_SNAPSHOT,     MACHINE_SAVE,
				     MACHINE_RESTORE,     MACHINE_PAUSE,        MACHINE_CONTINUE,
				     MACHINE_STOP,        MACHINE_GET_STATS,    MACHINE_AGENT,
				     MACHINE_GET_TOUCHED, MACHINE_GET_PROGRESS, MACHINE_EXPLAIN };

static bool serves(uint32_t type, enum machine_run run, const char *busy)
{
	struct err e;

	if (!serve_check(type, run, busy, &e))
		return true;
	assert_int_equal(e.kind, ERR_CONFLICT);
	return false;
}

static void a_guest_is_made_only_where_there_is_none(void **state)
{
	(void)state;
	assert_true(serves(MACHINE_BOOT, MACHINE_EMPTY, NULL));
	assert_true(serves(MACHINE_RESTORE, MACHINE_EMPTY, NULL));
	assert_false(serves(MACHINE_BOOT, MACHINE_RUNNING, NULL));
	assert_false(serves(MACHINE_RESTORE, MACHINE_PAUSED, NULL));
	assert_false(serves(MACHINE_SAVE, MACHINE_EMPTY, NULL));
	assert_false(serves(MACHINE_PAUSE, MACHINE_EMPTY, NULL));
	assert_false(serves(MACHINE_GET_TOUCHED, MACHINE_EMPTY, NULL));
}

static void an_operation_is_not_disturbed(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(serve_check(MACHINE_PAUSE, MACHINE_RUNNING, "save", &e), -1);
	assert_string_equal(e.text, "the machine is busy with its save");
	assert_true(serves(MACHINE_STOP, MACHINE_RUNNING, "save"));
	assert_true(serves(MACHINE_GET_STATS, MACHINE_PAUSED, "save"));
	assert_true(serves(MACHINE_AGENT, MACHINE_RUNNING, "save"));
	assert_true(serves(MACHINE_GET_PROGRESS, MACHINE_EMPTY, "boot"));
	assert_true(serves(MACHINE_EXPLAIN, MACHINE_EMPTY, "boot"));
}

static void a_machine_that_ends_takes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		assert_false(serves(requests[i], MACHINE_ENDING, NULL));
}

static void an_answer_is_no_request(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(serve_check(MACHINE_READY, MACHINE_RUNNING, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_is_made_only_where_there_is_none),
		cmocka_unit_test(an_operation_is_not_disturbed),
		cmocka_unit_test(a_machine_that_ends_takes_nothing),
		cmocka_unit_test(an_answer_is_no_request),
	};

	return cmocka_run_group_tests_name("machine/serve", tests, NULL, NULL);
}
