/* The table of refusals: each has a name of its own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/refusal.h"

static void test_each_refusal_has_a_name_of_its_own_and_a_status_that_exists(void **state)
{
	(void)state;
	for (unsigned i = 0; i < REFUSAL_NUM; i++) {
		const char *name = refusal_name((enum refusal)i);
		unsigned status = refusal_status((enum refusal)i);

		assert_true(*name);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
		assert_true(!status || (status >= 400 && status < 600));
		for (unsigned other = 0; other < i; other++)
			assert_string_not_equal(name, refusal_name((enum refusal)other));
	}
}

static void test_a_head_that_cannot_be_read_is_named_by_its_status(void **state)
{
	(void)state;
	assert_int_equal(refusal_of_head(431), REFUSAL_HEAD_TOO_LARGE);
	assert_int_equal(refusal_of_head(408), REFUSAL_HEAD_TOO_SLOW);
	assert_int_equal(refusal_of_head(400), REFUSAL_MALFORMED);
	assert_int_equal(refusal_of_head(505), REFUSAL_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_refusal_has_a_name_of_its_own_and_a_status_that_exists),
		cmocka_unit_test(test_a_head_that_cannot_be_read_is_named_by_its_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
