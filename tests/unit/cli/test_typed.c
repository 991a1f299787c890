/* What is typed is sorted by the row of its command, and what is typed wrongly is refused before
 * anything is done. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

static const struct command row = {
	.name = "make",
	.arguments = "THING [COLOUR]",
	.least = 1,
	.most = 2,
	.options = { { .name = "--name", .argument = "NAME", .help = "x", .required = true },
		     { .name = "--follow", .letter = "-f", .help = "x" },
		     { .name = "--from", .argument = "RANGE", .help = "x", .many = true } },
};

static int read_words(struct typed *t, const char *const *words, const char **rest)
{
	struct conf conf;
	size_t n = 0;

	conf_defaults(&conf, "");
	while (words[n])
		n++;
	return typed_read(t, &row, (struct words){ words, n }, rest, &conf);
}

static void test_options_and_arguments_are_found_by_the_row(void **unused)
{
	static const char *const words[] = { "a", "--name", "n", "-f", "red", NULL };
	const char *rest[8];
	struct typed t;

	(void)unused;
	assert_int_equal(read_words(&t, words, rest), 0);
	assert_int_equal(t.words.n, 2);
	assert_string_equal(t.words.at[1], "red");
	assert_string_equal(typed_option(&t, "--name"), "n");
	assert_non_null(typed_option(&t, "--follow"));
}

static void test_an_option_that_may_come_several_times_keeps_all_of_them(void **unused)
{
	static const char *const words[] = { "a", "--from=x", "--name", "n", "--from", "y", NULL };
	const char *many[2 * OPTION_MANY + 5] = { "a", "--name=n" }, *rest[3 * OPTION_MANY];
	struct typed t;

	(void)unused;
	assert_int_equal(read_words(&t, words, rest), 0);
	assert_int_equal(t.n_many, 2);
	assert_string_equal(t.many[0], "x");
	assert_string_equal(t.many[1], "y");
	for (size_t i = 0; i < OPTION_MANY; i++)
		many[2 + i] = "--from=x";
	assert_int_equal(read_words(&t, many, rest), 0);
	many[2 + OPTION_MANY] = "--from=x";
	assert_int_equal(read_words(&t, many, rest), USAGE);
}

static void test_an_option_that_was_not_given_is_null(void **unused)
{
	static const char *const words[] = { "a", "--name=n", NULL };
	const char *rest[8];
	struct typed t;

	(void)unused;
	assert_int_equal(read_words(&t, words, rest), 0);
	assert_null(typed_option(&t, "--follow"));
}

static void test_what_is_missing_too_much_or_unknown_is_wrong_usage(void **unused)
{
	static const char *const wrong[][8] = {
		{ "--name", "n", NULL }, /* no THING */
		{ "a", NULL },           /* no --name */
		{ "a", "red", "more", "--name", "n", NULL } /* too much */,
		{ "a", "--name", NULL },                 /* no value */
		{ "a", "--name", "n", "--other", NULL }, /* unknown */
	};
	const char *rest[8];
	struct typed t;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(read_words(&t, wrong[i], rest), USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_and_arguments_are_found_by_the_row),
		cmocka_unit_test(test_an_option_that_may_come_several_times_keeps_all_of_them),
		cmocka_unit_test(test_an_option_that_was_not_given_is_null),
		cmocka_unit_test(test_what_is_missing_too_much_or_unknown_is_wrong_usage),
	};

	return cmocka_run_group_tests_name("cli/typed", tests, NULL, NULL);
}
