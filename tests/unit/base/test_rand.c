/* Identifiers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"

static void test_a_uuid_is_valid_and_new(void **unused)
{
	char a[UUID_SIZE], b[UUID_SIZE];

	(void)unused;
	rand_uuid(a);
	rand_uuid(b);
	assert_true(uuid_valid(a));
	assert_string_not_equal(a, b);
}

static void test_other_texts_are_no_uuid(void **unused)
{
	(void)unused;
	assert_false(uuid_valid(""));
	assert_false(uuid_valid("microvm"));
	assert_false(uuid_valid("00000000-0000-0000-0000-00000000000"));
	assert_false(uuid_valid("00000000-0000-0000-0000-0000000000000"));
	assert_false(uuid_valid("00000000-0000-0000-0000-00000000000G"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_uuid_is_valid_and_new),
		cmocka_unit_test(test_other_texts_are_no_uuid),
	};

	return cmocka_run_group_tests_name("base/rand", tests, NULL, NULL);
}
