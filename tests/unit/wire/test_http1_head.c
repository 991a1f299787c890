/* Which bytes the parts of a head may have. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire/http1_head.h"

static bool is_alphanumeric(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_one_of(int c, const char *more)
{
	return is_alphanumeric(c) || (c && strchr(more, c));
}

static void test_each_byte_is_of_a_name_or_a_host_as_the_standard_says(void **unused)
{
	(void)unused;
	for (int c = 0; c < 256; c++) {
		const char text[] = { 'a', (char)c, 'z' };

		assert_int_equal(http1_is_token(text, 3), is_one_of(c, "!#$%&'*+-.^_`|~"));
		assert_int_equal(http1_is_authority(text, 3), is_one_of(c, "-._~:[]"));
	}
	assert_false(http1_is_token("", 0));
	assert_false(http1_is_authority("", 0));
}

static void test_a_control_byte_is_found_wherever_it_stands_in_a_value(void **unused)
{
	(void)unused;
	for (int c = 0; c < 256; c++) {
		bool control = (c < 0x20 && c != '\t') || c == 0x7f;

		for (size_t size = 1; size <= 20; size++) {
			for (size_t at = 0; at < size; at++) {
				char text[20];

				memset(text, 'v', sizeof(text));
				text[at] = (char)c;
				assert_int_equal(http1_is_value(text, size), !control);
			}
		}
	}
	assert_true(http1_is_value("", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_byte_is_of_a_name_or_a_host_as_the_standard_says),
		cmocka_unit_test(test_a_control_byte_is_found_wherever_it_stands_in_a_value),
	};

	return cmocka_run_group_tests_name("wire/http1_head", tests, NULL, NULL);
}
