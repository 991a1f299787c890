/* When an application counts as ready, and the sentences when it never is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "image/ready.h"

#define S(n) ((n)*1000)
#define BUSY ((uint64_t)1000000000) /* a core for a second */

static void test_a_port_and_a_quiet_second_make_it_ready(void **unused)
{
	struct quiet q;

	(void)unused;
	quiet_begin(&q, S(100));
	assert_int_equal(quiet_sample(&q, S(101), false, 1 * BUSY), QUIET_WAIT);
	assert_int_equal(quiet_sample(&q, S(102), true, 2 * BUSY), QUIET_WAIT);
	assert_int_equal(quiet_sample(&q, S(103), true, 3 * BUSY), QUIET_WAIT); /* importing */
	assert_int_equal(quiet_sample(&q, S(103) + 500, true, 3 * BUSY), QUIET_WAIT);
	assert_int_equal(quiet_sample(&q, S(104), true, 3 * BUSY + BUSY / 10), QUIET_READY);
}

static void test_a_port_that_closes_again_begins_anew(void **unused)
{
	struct quiet q;

	(void)unused;
	quiet_begin(&q, S(100));
	assert_int_equal(quiet_sample(&q, S(101), true, 0), QUIET_WAIT);
	assert_int_equal(quiet_sample(&q, S(102), false, 0), QUIET_WAIT);
	assert_int_equal(quiet_sample(&q, S(103), true, 0), QUIET_WAIT);
	assert_int_equal(quiet_sample(&q, S(104), true, 0), QUIET_READY);
}

static void test_waiting_has_an_end(void **unused)
{
	struct quiet q;

	(void)unused;
	quiet_begin(&q, S(100));
	assert_int_equal(quiet_sample(&q, S(129), false, 0), QUIET_WAIT);
	assert_int_equal(quiet_sample(&q, S(130), false, 0), QUIET_SILENT);
	quiet_begin(&q, S(100));
	for (int i = 0; i < 30; i++)
		assert_int_equal(quiet_sample(&q, S(101 + i), true, (uint64_t)i * BUSY),
				 QUIET_WAIT);
	assert_int_equal(quiet_sample(&q, S(131), true, 30 * BUSY), QUIET_BUSY);
}

static void test_an_exposed_port_counts_or_else_8080(void **unused)
{
	const uint16_t open[] = { 22, 5000 }, exposed[] = { 80, 5000 }, usual[] = { 8080 };

	(void)unused;
	assert_true(quiet_listens(open, 2, exposed, 2));
	assert_false(quiet_listens(open, 2, NULL, 0));
	assert_true(quiet_listens(usual, 1, NULL, 0));
	assert_false(quiet_listens(usual, 1, exposed, 2));
	assert_false(quiet_listens(NULL, 0, exposed, 2));
}

static void test_hook_answers_are_judged_with_the_services_sentences(void **unused)
{
	static const struct {
		enum agent_outcome outcome;
		unsigned status;
		enum hook_say say;
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

		assert_int_equal(hook_judge("Ready", cases[i].outcome, cases[i].status, 300000, &e),
				 cases[i].say);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_port_and_a_quiet_second_make_it_ready),
		cmocka_unit_test(test_a_port_that_closes_again_begins_anew),
		cmocka_unit_test(test_waiting_has_an_end),
		cmocka_unit_test(test_an_exposed_port_counts_or_else_8080),
		cmocka_unit_test(test_hook_answers_are_judged_with_the_services_sentences),
		cmocka_unit_test(test_durations_are_written_as_iso_8601),
	};

	return cmocka_run_group_tests_name("image/ready", tests, NULL, NULL);
}
