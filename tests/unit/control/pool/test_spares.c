/* How many spare monitors a shape has. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "control/pool/spares.h"

static void test_spares_are_kept_for_shapes_in_use_alone(void **unused)
{
	static const struct {
		struct spares_facts facts;
		unsigned target;
	} rows[] = {
		{ { false, 0, 600000, 2 }, 2 },      { { false, 599999, 600000, 2 }, 2 },
		{ { false, 600000, 600000, 2 }, 0 }, { { true, 0, 600000, 2 }, 0 },
		{ { false, 0, 600000, 0 }, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(spares_target(&rows[i].facts), rows[i].target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spares_are_kept_for_shapes_in_use_alone),
	};

	return cmocka_run_group_tests_name("control/pool/spares", tests, NULL, NULL);
}
