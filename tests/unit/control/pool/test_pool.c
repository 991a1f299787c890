/* How many clones a version has. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "control/pool/pool.h"

static void test_a_pool_follows_demand(void **unused)
{
	static const struct {
		struct pool_facts facts; /* active, since, recent, per_image, demand */
		unsigned target;
	} rows[] = {
		{ { true, 0, 600000, 2, 0 }, 2 },      { { true, 599999, 600000, 2, 0 }, 2 },
		{ { true, 600000, 600000, 2, 0 }, 0 }, { { false, 0, 600000, 2, 50 }, 0 },
		{ { true, 0, 600000, 0, 50 }, 0 },     { { true, 0, 600000, 2, 12 }, 2 },
		{ { true, 0, 600000, 2, 30 }, 5 },     { { true, 0, 600000, 2, 10000 }, 16 },
		{ { true, 0, 600000, 40, 0 }, 40 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(pool_target(&rows[i].facts), rows[i].target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_pool_follows_demand),
	};

	return cmocka_run_group_tests_name("control/pool/pool", tests, NULL, NULL);
}
