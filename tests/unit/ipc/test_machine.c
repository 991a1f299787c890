/* Which answer belongs to which request to a machine. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ipc/machine.h"

static void each_request_has_one_answer_and_fault(void **unused)
{
	static const struct {
		enum machine_type request, answer;
	} pairs[] = {
		{ MACHINE_BOOT, MACHINE_READY },      { MACHINE_RESTORE, MACHINE_READY },
		{ MACHINE_PAUSE, MACHINE_READY },     { MACHINE_CONTINUE, MACHINE_READY },
		{ MACHINE_SNAPSHOT, MACHINE_SAVED },  { MACHINE_SAVE, MACHINE_SAVED },
		{ MACHINE_GET_STATS, MACHINE_STATS }, { MACHINE_GET_TOUCHED, MACHINE_READY },
		{ MACHINE_STOP, MACHINE_EXITED },     { MACHINE_GET_PROGRESS, MACHINE_PROGRESS },
		{ MACHINE_EXPLAIN, MACHINE_READY },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		for (uint32_t answer = 0; answer < MACHINE_NUM_TYPES + 2; answer++)
			assert_int_equal(machine_answer_fits(pairs[i].request, answer),
					 answer == pairs[i].answer || answer == MACHINE_FAULT);
}

static void what_is_no_request_has_no_answer(void **unused)
{
	static const uint32_t others[] = { MACHINE_HELLO,  MACHINE_AGENT,    MACHINE_READY,
					   MACHINE_SAVED,  MACHINE_STATS,    MACHINE_FAULT,
					   MACHINE_EXITED, MACHINE_PROGRESS, MACHINE_NUM_TYPES,
					   UINT32_MAX };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		for (uint32_t answer = 0; answer < MACHINE_NUM_TYPES + 2; answer++)
			assert_false(machine_answer_fits(others[i], answer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_has_one_answer_and_fault),
		cmocka_unit_test(what_is_no_request_has_no_answer),
	};

	return cmocka_run_group_tests_name("ipc/machine", tests, NULL, NULL);
}
