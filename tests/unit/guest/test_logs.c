/* How much output passes in a second. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "guest/logs.h"

static void test_a_burst_passes_and_then_the_rate(void **unused)
{
	struct log_rate r = { 1000, LIMIT_LOG_RATE };

	(void)unused;
	assert_int_equal(log_rate_take(&r, 1000, LIMIT_LOG_RATE - 10), LIMIT_LOG_RATE - 10);
	assert_int_equal(log_rate_take(&r, 1000, 100), 10);
	assert_int_equal(log_rate_take(&r, 1000, 100), 0);
	assert_int_equal(log_rate_take(&r, 1500, LIMIT_LOG_RATE), LIMIT_LOG_RATE / 2);
	assert_int_equal(log_rate_take(&r, 1500, 1), 0);
}

static void test_it_never_saves_up_more_than_a_second(void **unused)
{
	struct log_rate r = { 0, 0 };

	(void)unused;
	assert_int_equal(log_rate_take(&r, INT64_MAX / 2, 1ULL << 40), LIMIT_LOG_RATE);
	assert_int_equal(log_rate_take(&r, 5, 1), 1); /* a clock that went back fills it, once */
}

static void test_many_small_steps_add_up(void **unused)
{
	struct log_rate r = { 0, 0 };
	size_t got = 0;

	(void)unused;
	for (int64_t ms = 1; ms <= 2000; ms++)
		got += log_rate_take(&r, ms, 100000);
	assert_in_range(got, 2 * LIMIT_LOG_RATE - 4096, 2 * LIMIT_LOG_RATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_passes_and_then_the_rate),
		cmocka_unit_test(test_it_never_saves_up_more_than_a_second),
		cmocka_unit_test(test_many_small_steps_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
