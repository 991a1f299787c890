/* When an application counts as ready. */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_port_and_a_quiet_second_make_it_ready),
		cmocka_unit_test(test_a_port_that_closes_again_begins_anew),
		cmocka_unit_test(test_waiting_has_an_end),
		cmocka_unit_test(test_an_exposed_port_counts_or_else_8080),
	};

	return cmocka_run_group_tests_name("image/ready", tests, NULL, NULL);
}
