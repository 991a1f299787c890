/* Hexadecimal digits and the escapes of URLs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"

static void test_every_byte_comes_back_from_its_digits(void **unused)
{
	uint8_t bytes[256], again[256];
	char text[513];

	(void)unused;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	hex_encode(bytes, sizeof(bytes), text);
	assert_int_equal(strlen(text), 512);
	assert_memory_equal(text, "000102", 6);
	assert_string_equal(text + 506, "fdfeff");
	assert_true(hex_decode(text, again, sizeof(again)));
	assert_memory_equal(bytes, again, sizeof(bytes));
	assert_true(hex_decode("aBCd", again, 2));
	assert_memory_equal(again, "\xab\xcd", 2);
}

static void test_what_is_no_digit_or_of_another_length_is_refused(void **unused)
{
	static const char *const bad[] = {
		"", "a", "ab", "abc", "abcde", "abcdef", "ab g", "-1ab"
	};
	uint8_t out[2];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (hex_decode(bad[i], out, 2))
			fail_msg("'%s' was taken", bad[i]);
}

static void test_escapes_are_decoded_or_refused(void **unused)
{
	static const struct {
		const char *text, *plain, *query; /* NULL: refused */
	} cases[] = {
		{ "", "", "" },
		{ "a+b", "a+b", "a b" },
		{ "%41%2f%2F+%2B", "A//++", "A// +" },
		{ "%", NULL, NULL },
		{ "x%4", NULL, NULL },
		{ "%4g", NULL, NULL },
		{ "%00", NULL, NULL },
		{ "%%41", NULL, NULL },
		{ "1234567", "1234567", "1234567" },
		{ "12345678", NULL, NULL }, /* no room */
	};

	(void)unused;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		const char *want = i % 2 ? cases[i / 2].query : cases[i / 2].plain;
		char text[16], *to = text;

		strcpy(text, cases[i / 2].text);
		if (percent_decode(text, strlen(text), i % 2, to, 8) != (want != NULL))
			fail_msg("'%s'", cases[i / 2].text);
		if (want)
			assert_string_equal(to, want);
	}
	assert_false(percent_decode("a\0b", 3, false, (char[8]){ 0 }, 8));
	assert_false(percent_decode("", 0, false, (char[1]){ 0 }, 0));
}

static void test_an_escape_is_read_within_its_bounds(void **unused)
{
	(void)unused;
	assert_int_equal(percent_byte("%41", 3), 'A');
	assert_int_equal(percent_byte("%00", 3), 0);
	assert_int_equal(percent_byte("%41", 2), -1);
	assert_int_equal(percent_byte("41%", 3), -1);
	assert_int_equal(percent_byte("", 0), -1);
}

static void test_only_what_a_url_may_hold_bare_stays_bare(void **unused)
{
	autobuf struct buf all = { 0 }, key = { 0 };

	(void)unused;
	percent_encode(&all, "aZ09-._~ /*%+\xc3\xa9", "");
	assert_string_equal(buf_str(&all), "aZ09-._~%20%2F%2A%25%2B%C3%A9");
	percent_encode(&key, "a/b*c d", "/*");
	assert_string_equal(buf_str(&key), "a/b*c%20d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_comes_back_from_its_digits),
		cmocka_unit_test(test_what_is_no_digit_or_of_another_length_is_refused),
		cmocka_unit_test(test_escapes_are_decoded_or_refused),
		cmocka_unit_test(test_an_escape_is_read_within_its_bounds),
		cmocka_unit_test(test_only_what_a_url_may_hold_bare_stays_bare),
	};

	return cmocka_run_group_tests_name("base/hex", tests, NULL, NULL);
}
