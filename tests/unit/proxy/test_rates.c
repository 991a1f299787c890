/* How fast addresses may come, and how much is remembered of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/rates.h"

#define SECOND 1000000

static struct rates rates;

static unsigned pass_all(uint64_t address, unsigned per_second, int64_t now)
{
	unsigned n = 0;

	while (n < 1000 && rates_pass(&rates, address, per_second, now))
		n++;
	return n;
}

static int forget(void **state)
{
	(void)state;
	rates = (struct rates){ 0 };
	return 0;
}

static void test_each_address_has_a_burst_of_its_own_that_time_fills_again(void **state)
{
	(void)state;
	assert_int_equal(pass_all(1, 10, 5 * SECOND), 10);
	assert_int_equal(pass_all(2, 10, 5 * SECOND), 10);
	assert_int_equal(pass_all(0, 10, 5 * SECOND), 10);
	assert_int_equal(pass_all(1, 10, 5 * SECOND + SECOND / 2), 5);
	assert_int_equal(pass_all(1, 10, 100 * SECOND), 10);
}

static void test_no_rate_is_no_limit(void **state)
{
	(void)state;
	assert_int_equal(pass_all(1, 0, SECOND), 1000);
}

/* However many others come, who is over its rate is not forgotten for those who came once. */
static void test_a_crowd_does_not_hide_a_flood(void **state)
{
	(void)state;
	assert_int_equal(pass_all(7, 100, 5 * SECOND), 100);
	for (uint64_t other = 1000; other < 1000 + 10 * RATES_SETS * RATES_WAYS; other++)
		assert_true(rates_pass(&rates, other, 100, 5 * SECOND));
	assert_false(rates_pass(&rates, 7, 100, 5 * SECOND));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, forget)
	const struct CMUnitTest tests[] = {
		TEST(test_each_address_has_a_burst_of_its_own_that_time_fills_again),
		TEST(test_no_rate_is_no_limit),
		TEST(test_a_crowd_does_not_hide_a_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
