/* How much output passes in a second. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "guest/logs.h"

static void test_a_burst_passes_and_then_the_rate(void **unused)
{
	struct log_rate r = { 1000, LIMIT_LOG_RATE };

	(void)unused;
	assert_int_equal(log_rate_take(&r, 1000, LIMIT_LOG_RATE - 10), LIMIT_LOG_RATE - 10);
	assert_int_equal(log_rate_take(&r, 1000, 100), 10);
	assert_int_equal(log_rate_take(&r, 1000, 100), 0);
	assert_int_equal(log_rate_take(&r, 1500, LIMIT_LOG_RATE), LIMIT_LOG_RATE / 2);
	assert_int_equal(log_rate_take(&r, 1500, 1), 0);
}

static void test_it_never_saves_up_more_than_a_second(void **unused)
{
	struct log_rate r = { 0, 0 };

	(void)unused;
	assert_int_equal(log_rate_take(&r, INT64_MAX / 2, 1ULL << 40), LIMIT_LOG_RATE);
	assert_int_equal(log_rate_take(&r, 5, 1), 1); /* a clock that went back fills it, once */
}

static void test_many_small_steps_add_up(void **unused)
{
	struct log_rate r = { 0, 0 };
	size_t got = 0;

	(void)unused;
	for (int64_t ms = 1; ms <= 2000; ms++)
		got += log_rate_take(&r, ms, 100000);
	assert_in_range(got, 2 * LIMIT_LOG_RATE - 4096, 2 * LIMIT_LOG_RATE);
}

static void test_the_tail_is_the_end_of_what_was_written(void **unused)
{
	struct log_tail t = { 0 };
	char piece[3 * LOG_TAIL], text[3 * LOG_TAIL + 1];

	(void)unused;
	log_tail_add(&t, "begin", 5);
	log_tail_text(&t, text, sizeof(text));
	assert_string_equal(text, "begin");
	for (size_t size = 1; size < sizeof(piece); size += 37) {
		memset(piece, 'a', size);
		piece[size - 1] = 'z';
		log_tail_add(&t, piece, size);
		log_tail_text(&t, text, sizeof(text));
		assert_int_equal(text[strlen(text) - 1], 'z');
	}
	assert_int_equal(strlen(text), LOG_TAIL);
}

static void test_lines_become_one_without_what_a_terminal_obeys(void **unused)
{
	static const struct {
		const char *written, *line;
	} rows[] = {
		{ "one\ntwo\n", "one | two" },
		{ "\n\none\r\n\r\n\ntwo", "one | two" },
		{ "\033[31;1mred\033[0m plain\033", "red plain" },
		{ "a\tb\a\b", "a b" },
		{ "\033[", "" },
		{ "", "" },
	};
	char text[3 * LOG_TAIL + 1];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct log_tail t = { 0 };

		log_tail_add(&t, rows[i].written, strlen(rows[i].written));
		log_tail_text(&t, text, sizeof(text));
		assert_string_equal(text, rows[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_passes_and_then_the_rate),
		cmocka_unit_test(test_it_never_saves_up_more_than_a_second),
		cmocka_unit_test(test_many_small_steps_add_up),
		cmocka_unit_test(test_the_tail_is_the_end_of_what_was_written),
		cmocka_unit_test(test_lines_become_one_without_what_a_terminal_obeys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
