/* A time as it is read. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/stamp.h"

static void test_a_time_is_text_of_one_length_or_none(void **unused)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1769903999999, "2026-01-31T23:59:59Z" },
		{ 253402300799999, "9999-12-31T23:59:59Z" },
		{ INT64_MAX, "" },
		{ INT64_MIN, "" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[STAMP_SIZE];

		stamp_text(rows[i].ms, text);
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_time_is_text_of_one_length_or_none),
	};

	return cmocka_run_group_tests_name("base/stamp", tests, NULL, NULL);
}
