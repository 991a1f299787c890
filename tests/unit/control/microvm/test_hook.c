/* What the answer of a hook means. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/microvm/lifecycle_internal.h"

#define ADVICE " Please check your hook endpoint and application logs for more details."

static void test_a_failed_hook_says_what_to_look_at(void **unused)
{
	static const struct {
		enum hook hook;
		enum agent_outcome outcome;
		unsigned status;
		const char *says;
	} rows[] = {
		{ HOOK_RUN, OUTCOME_STATUS, 200, NULL },
		{ HOOK_RUN, OUTCOME_STATUS, 400,
		  "Run lifecycle hook returned HTTP status 400." ADVICE },
		{ HOOK_SUSPEND, OUTCOME_STATUS, 204,
		  "Suspend lifecycle hook returned HTTP status 204." ADVICE },
		{ HOOK_RESUME, OUTCOME_TIMEOUT, 0,
		  "Resume lifecycle hook timed out after 2 seconds." ADVICE },
		{ HOOK_TERMINATE, OUTCOME_REFUSED, 0,
		  "Terminate lifecycle hook was refused: nothing listens on port 9000." ADVICE },
		{ HOOK_RUN, OUTCOME_GARBAGE, 0,
		  "Run lifecycle hook returned no HTTP response." ADVICE },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *says =
			hook_failure(rows[i].hook, rows[i].outcome, rows[i].status, 2000, 9000);

		if (rows[i].says)
			assert_string_equal(says, rows[i].says);
		else
			assert_null(says);
		free(says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_failed_hook_says_what_to_look_at),
	};

	return cmocka_run_group_tests_name("control/microvm/hook", tests, NULL, NULL);
}
