/* Who may start, and when. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "control/admission/admission.h"

static void test_room_is_what_the_host_can_spare(void **unused)
{
	struct admission_memory m = { .total = 1000 * MIB, .available = 500 * MIB, .percent = 80 };

	(void)unused;
	assert_true(admission_fits(&m, 300 * MIB)); /* 200 MiB stay free */
	assert_false(admission_fits(&m, 301 * MIB));
	m.reserved = 100 * MIB;
	assert_true(admission_fits(&m, 200 * MIB));
	assert_false(admission_fits(&m, 201 * MIB));
	m.available = 100 * MIB;
	assert_false(admission_fits(&m, 1));
	m = (struct admission_memory){ 0 }; /* the host's figures are not known */
	assert_false(admission_fits(&m, 1));
}

static void test_the_pool_starts_when_nobody_waits(void **unused)
{
	static const struct {
		struct admission_load load; /* at_once, running, pool_running, waiting */
		bool microvm, pool;
	} rows[] = {
		{ { 3, 0, 0, 0 }, true, true },   { { 3, 1, 0, 0 }, true, true },
		{ { 3, 2, 0, 0 }, true, false },  { { 3, 3, 0, 0 }, false, false },
		{ { 3, 0, 1, 0 }, true, false },  { { 3, 0, 0, 1 }, true, false },
		{ { 1, 0, 1, 0 }, true, false },  { { 1, 0, 0, 0 }, true, true },
		{ { 1, 1, 0, 0 }, false, false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(admission_may_start(&rows[i].load, ADMISSION_MICROVM),
				 rows[i].microvm);
		assert_int_equal(admission_may_start(&rows[i].load, ADMISSION_POOL), rows[i].pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room_is_what_the_host_can_spare),
		cmocka_unit_test(test_the_pool_starts_when_nobody_waits),
	};

	return cmocka_run_group_tests_name("control/admission/admission", tests, NULL, NULL);
}
