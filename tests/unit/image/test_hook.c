/* What the answer of a hook means for its build. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "image/hook.h"

static void test_hook_answers_are_judged_with_the_services_sentences(void **unused)
{
	static const struct {
		enum agent_outcome outcome;
		unsigned status;
		enum hook_verdict verdict;
		const char *text;
	} cases[] = {
		{ OUTCOME_STATUS, 200, HOOK_FINE, "" },
		{ OUTCOME_STATUS, 503, HOOK_AGAIN, "" },
		{ OUTCOME_REFUSED, 0, HOOK_AGAIN, "" },
		{ OUTCOME_STATUS, 404, HOOK_FAILED,
		  "Ready hook check failed: the application returned a client error (HTTP 4xx) "
		  "response" },
		{ OUTCOME_STATUS, 500, HOOK_FAILED,
		  "Ready hook check failed: the application returned a server error (HTTP 5xx) "
		  "response" },
		{ OUTCOME_STATUS, 302, HOOK_FAILED,
		  "Ready hook check failed: the application returned HTTP status 302, not 200" },
		{ OUTCOME_TIMEOUT, 0, HOOK_FAILED, "Ready hook invocation timed out after PT5M" },
		{ OUTCOME_GARBAGE, 0, HOOK_FAILED,
		  "Ready hook check failed: the application did not answer with HTTP" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = { 0 };

		assert_int_equal(
			hook_judge(&hook_ready, cases[i].outcome, cases[i].status, 300000, &e),
			cases[i].verdict);
		assert_string_equal(e.text, cases[i].text);
	}
}

static void test_durations_are_written_as_iso_8601(void **unused)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = { { 300000, "PT5M" },  { 1000, "PT1S" },       { 90000, "PT1M30S" },
		      { 0, "PT0S" },       { 3600000, "PT1H" },    { 500, "PT0.500S" },
		      { 600000, "PT10M" }, { 3661000, "PT1H1M1S" } };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autobuf struct buf text = { 0 };

		duration_put(&text, cases[i].ms);
		assert_string_equal(buf_str(&text), cases[i].text);
	}
}

static void test_each_hook_has_its_own_name_and_code(void **unused)
{
	struct err e;

	(void)unused;
	hook_timed_out(&hook_validate, 1000, &e);
	assert_string_equal(e.text, "Validate hook invocation timed out after PT1S");
	assert_string_equal(hook_validate.name, "validate");
	assert_string_equal(hook_validate.code, "VALIDATE_HOOK_FAILED");
	assert_string_equal(hook_ready.name, "ready");
	assert_string_equal(hook_ready.code, "READY_HOOK_FAILED");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hook_answers_are_judged_with_the_services_sentences),
		cmocka_unit_test(test_durations_are_written_as_iso_8601),
		cmocka_unit_test(test_each_hook_has_its_own_name_and_code),
	};

	return cmocka_run_group_tests_name("image/hook", tests, NULL, NULL);
}
