/* What an account may have, and how often it may call. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "control/model/quotas.h"

static void test_what_the_account_was_given_counts_first_and_then_the_configuration(void **unused)
{
	struct conf conf = { .max_images = 100, .limits_preset = "none" };
	json_auto_t *given = NULL, *taken = NULL;
	struct account a = { 0 };

	(void)unused;
	assert_int_equal(quota_of(&conf, NULL, QUOTA_IMAGES), 100);
	assert_int_equal(quota_of(&conf, &a, QUOTA_IMAGES), 100);
	given = quota_changed(&a, QUOTA_IMAGES, 3);
	a.params = given;
	assert_int_equal(quota_of(&conf, &a, QUOTA_IMAGES), 3);
	assert_true(quota_is_own(&a, QUOTA_IMAGES));
	assert_false(quota_is_own(&a, QUOTA_BUILDS));
	taken = quota_changed(&a, QUOTA_IMAGES, 0);
	a.params = taken;
	assert_int_equal(quota_of(&conf, &a, QUOTA_IMAGES), 100);
	assert_false(quota_is_own(&a, QUOTA_IMAGES));
}

static void test_the_preset_counts_where_nothing_is_configured(void **unused)
{
	struct conf conf = { .limits_preset = "none" };

	(void)unused;
	assert_int_equal(quota_of(&conf, NULL, QUOTA_RUN_RATE), INT64_MAX);
	assert_int_equal(quota_of(&conf, NULL, QUOTA_BUILDS), INT64_MAX);
	strcpy(conf.limits_preset, "aws");
	assert_int_equal(quota_of(&conf, NULL, QUOTA_RUN_RATE), 5);
	assert_int_equal(quota_of(&conf, NULL, QUOTA_SUSPEND_RATE), 2);
	assert_int_equal(quota_of(&conf, NULL, QUOTA_BUILDS), 5);
	conf.run_rate = 7;
	assert_int_equal(quota_of(&conf, NULL, QUOTA_RUN_RATE), 7);
}

static void test_every_quota_has_a_name_of_its_own_and_is_found_by_it(void **unused)
{
	(void)unused;
	for (enum quota_kind kind = 0; kind < QUOTA_NUM; kind++) {
		assert_int_equal(quota_named(quota_rows[kind].name), kind);
		if (quota_rows[kind].op)
			assert_int_equal(quota_of_op(quota_rows[kind].op), kind);
	}
	assert_int_equal(quota_named("no-such"), QUOTA_NUM);
	assert_int_equal(quota_of_op("ListMicrovms"), QUOTA_NUM);
}

static void test_a_second_has_its_calls_at_once_and_the_next_is_told_when(void **unused)
{
	quota_due due = 0;
	int64_t now_us = 77000000, wait_us;

	(void)unused;
	for (int i = 0; i < 5; i++)
		assert_int_equal(quota_pass(&due, 5, now_us), 0);
	wait_us = quota_pass(&due, 5, now_us);
	assert_int_equal(wait_us, 200000);
	assert_int_equal(quota_pass(&due, 5, now_us + wait_us - 1), 1);
	assert_int_equal(quota_pass(&due, 5, now_us + wait_us), 0);
	assert_int_equal(quota_pass(&due, 5, now_us + wait_us), 200000);
	for (int i = 0; i < 5; i++) /* a pause gives no more than one burst */
		assert_int_equal(quota_pass(&due, 5, now_us + 60000000), 0);
	assert_true(quota_pass(&due, 5, now_us + 60000000) > 0);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(quota_pass(&due, INT64_MAX, now_us), 0);
}

static void test_a_long_run_has_its_rate(void **unused)
{
	quota_due due = 0;
	int passed = 0;

	(void)unused;
	for (int64_t now_us = 0; now_us < 100000000; now_us += 1000)
		passed += !quota_pass(&due, 50, now_us);
	assert_in_range(passed, 5000, 5050);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_what_the_account_was_given_counts_first_and_then_the_configuration),
		cmocka_unit_test(test_the_preset_counts_where_nothing_is_configured),
		cmocka_unit_test(test_every_quota_has_a_name_of_its_own_and_is_found_by_it),
		cmocka_unit_test(test_a_second_has_its_calls_at_once_and_the_next_is_told_when),
		cmocka_unit_test(test_a_long_run_has_its_rate),
	};

	return cmocka_run_group_tests_name("control/model/quotas", tests, NULL, NULL);
}
