/* Every operation has its row of rights: one that is new cannot be forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/api/rights.h"

static void test_every_operation_has_a_row(void **unused)
{
	(void)unused;
	for (const struct op_table *t = op_tables; t->n; t++)
		for (size_t i = 0; i < t->n; i++)
			if (!right_find(t->ops[i].name))
				fail_msg("%s has no row in rights.c", t->ops[i].name);
	for (size_t i = 0; i < logs_ops_count; i++)
		if (!right_find(logs_ops[i].name))
			fail_msg("%s has no row in rights.c", logs_ops[i].name);
}

static void test_what_all_accounts_share_is_for_the_operator_alone(void **unused)
{
	static const char *const shared[] = { "ImportBase", "PullBase", "RemoveBase",
					      "Drain",      "GetDrain", "GetStats" };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		assert_int_equal(right_find(shared[i])->of, RIGHT_OPERATOR);
	assert_int_equal(right_find("CreateAccount")->of, RIGHT_ROOT);
	assert_int_equal(right_find("DeleteAccount")->of, RIGHT_ROOT);
	assert_null(right_find("NoOperation"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_operation_has_a_row),
		cmocka_unit_test(test_what_all_accounts_share_is_for_the_operator_alone),
	};

	return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
