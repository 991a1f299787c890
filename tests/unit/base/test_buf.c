/* Growing bytes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void test_what_is_added_is_there_in_order(void **unused)
{
	autobuf struct buf b = { 0 };

	(void)unused;
	buf_adds(&b, "one ");
	buf_addf(&b, "%s %d", "two", 3);
	assert_string_equal(buf_str(&b), "one two 3");
	buf_drop(&b, 4);
	assert_string_equal(buf_str(&b), "two 3");
}

static void test_it_grows_past_its_first_room(void **unused)
{
	autobuf struct buf b = { 0 };

	(void)unused;
	for (int i = 0; i < 10000; i++)
		buf_add(&b, "x", 1);
	assert_int_equal(b.size, 10000);
	buf_clear(&b);
	assert_int_equal(b.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_added_is_there_in_order),
		cmocka_unit_test(test_it_grows_past_its_first_room),
	};

	return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
