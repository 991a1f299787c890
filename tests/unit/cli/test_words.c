/* Options of a command: taken wherever they stand, "--" ends them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

static const char *port;
static bool keep;
static const struct option_def defs[] = { { "--port", &port, NULL, NULL },
					  { "--keep", NULL, &keep, NULL } };

static int take(struct words *w, const char *const *words, size_t n, const char **rest)
{
	port = NULL;
	keep = false;
	*w = (struct words){ words, n };
	return words_options(w, defs, ARRAY_SIZE(defs), rest);
}

static void test_options_are_found_anywhere(void **unused)
{
	static const char *const words[] = { "a99", "--port", "5000", "/", "--keep" };
	const char *rest[8];
	struct words w;

	(void)unused;
	assert_int_equal(take(&w, words, ARRAY_SIZE(words), rest), 0);
	assert_string_equal(port, "5000");
	assert_true(keep);
	assert_int_equal(w.n, 2);
	assert_string_equal(w.at[1], "/");
}

static void test_a_value_may_follow_an_equals_sign(void **unused)
{
	static const char *const words[] = { "--port=80" };
	const char *rest[8];
	struct words w;

	(void)unused;
	assert_int_equal(take(&w, words, 1, rest), 0);
	assert_string_equal(port, "80");
}

static void test_two_dashes_end_the_options(void **unused)
{
	static const char *const words[] = { "a99", "/", "--", "--port", "-i" };
	const char *rest[8];
	struct words w;

	(void)unused;
	assert_int_equal(take(&w, words, ARRAY_SIZE(words), rest), 0);
	assert_null(port);
	assert_int_equal(w.n, 4);
	assert_string_equal(w.at[3], "-i");
}

static void test_unknown_options_and_missing_values_are_refused(void **unused)
{
	static const char *const unknown[] = { "--prot", "1" }, *const missing[] = { "--port" };
	const char *rest[8];
	struct words w;

	(void)unused;
	assert_int_equal(take(&w, unknown, 2, rest), -1);
	assert_int_equal(take(&w, missing, 1, rest), -1);
}

static void test_numbers_have_a_range(void **unused)
{
	long value;

	(void)unused;
	assert_int_equal(words_number("--port", "65535", 1, 65535, &value), 0);
	assert_int_equal(value, 65535);
	assert_int_equal(words_number("--port", "65536", 1, 65535, &value), -1);
	assert_int_equal(words_number("--port", "80x", 1, 65535, &value), -1);
	assert_int_equal(words_number("--port", "", 1, 65535, &value), -1);
}

static void test_ages_are_for_people(void **unused)
{
	static const struct {
		double at;
		const char *text;
	} ages[] = { { 0, "-" }, { 995, "5 s" }, { 1000 - 180, "3 min" }, { 2000, "0 s" } };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(ages); i++) {
		char *text = text_age(ages[i].at, 1000);

		assert_string_equal(text, ages[i].text);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_are_found_anywhere),
		cmocka_unit_test(test_a_value_may_follow_an_equals_sign),
		cmocka_unit_test(test_two_dashes_end_the_options),
		cmocka_unit_test(test_unknown_options_and_missing_values_are_refused),
		cmocka_unit_test(test_numbers_have_a_range),
		cmocka_unit_test(test_ages_are_for_people),
	};

	return cmocka_run_group_tests_name("cli/words", tests, NULL, NULL);
}
