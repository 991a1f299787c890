/* The time that promises are held against, while the wall clock is set. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/steady.h"

#define HOUR INT64_C(3600000)

static int64_t wall, boot;

int64_t clock_wall_ms(void)
{
	return wall;
}

int64_t clock_boot_ms(void)
{
	return boot;
}

static void test_a_step_of_the_wall_clock_moves_no_promise(void **unused)
{
	static const int64_t steps[] = { 5 * HOUR, -5 * HOUR };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int64_t ends;

		wall = 1000 * HOUR;
		boot = 7;
		steady_set_basis(wall - boot);
		ends = steady_ms() + HOUR;
		wall += steps[i];
		assert_int_equal(steady_ms(), 1000 * HOUR);
		assert_int_equal(steady_shown(ends), wall + HOUR);
		assert_int_equal(steady_of_wall(steady_shown(ends)), ends);
		wall += HOUR;
		boot += HOUR;
		assert_int_equal(steady_ms(), ends);
	}
}

static void test_what_slewing_brings_about_changes_no_stamp(void **unused)
{
	(void)unused;
	wall = 1000 * HOUR;
	boot = 7;
	steady_set_basis(wall - boot);
	wall += 1500;
	assert_int_equal(steady_shown(12345), 12345);
	assert_int_equal(steady_of_wall(12345), 12345);
}

static void test_the_age_of_a_stamp_is_rather_too_little(void **unused)
{
	(void)unused;
	wall = 1000 * HOUR;
	boot = 7;
	steady_set_basis(wall - boot);
	assert_int_equal(steady_or_wall(), 1000 * HOUR);
	wall += 5 * HOUR;
	assert_int_equal(steady_or_wall(), 1000 * HOUR);
	wall -= 8 * HOUR;
	assert_int_equal(steady_or_wall(), 997 * HOUR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_step_of_the_wall_clock_moves_no_promise),
		cmocka_unit_test(test_what_slewing_brings_about_changes_no_stamp),
		cmocka_unit_test(test_the_age_of_a_stamp_is_rather_too_little),
	};

	return cmocka_run_group_tests_name("base/steady", tests, NULL, NULL);
}
