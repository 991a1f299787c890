/* The table of `doze top`. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "cli/top_rows.h"

static json_t *answer(const char *text)
{
	json_error_t why;
	json_t *made = json_loads(text, 0, &why);

	assert_non_null(made);
	return made;
}

static const char before_text[] =
	"{\"endpoints\":["
	"{\"microvmId\":\"microvm-a\",\"image\":\"app\",\"state\":\"RUNNING\",\"requests\":100,"
	"\"errors\":1,\"bytesIn\":1000,\"bytesOut\":0,\"held\":2},"
	"{\"microvmId\":\"microvm-b\",\"image\":\"app\",\"state\":\"RUNNING\",\"requests\":500,"
	"\"errors\":0,\"bytesIn\":0,\"bytesOut\":0,\"held\":0}],"
	"\"machines\":[{\"microvmId\":\"microvm-a\",\"cpuNs\":1000000000},"
	"{\"microvmId\":\"microvm-b\",\"cpuNs\":9000000000},{\"microvmId\":null,\"cpuNs\":5}]}";

static const char now_text[] =
	"{\"host\":{\"memoryBytes\":8589934592,\"availableBytes\":4294967296},"
	"\"microvms\":{\"PENDING\":0,\"RUNNING\":2,\"SUSPENDED\":1},\"endpoints\":["
	"{\"microvmId\":\"microvm-c\",\"image\":null,\"state\":\"SUSPENDED\",\"requests\":0,"
	"\"errors\":0,\"bytesIn\":0,\"bytesOut\":0,\"held\":0},"
	"{\"microvmId\":\"microvm-b\",\"image\":\"app\",\"state\":\"RUNNING\",\"requests\":3,"
	"\"errors\":0,\"bytesIn\":0,\"bytesOut\":0,\"held\":0},"
	"{\"microvmId\":\"microvm-a\",\"image\":\"app\",\"state\":\"RUNNING\",\"requests\":120,"
	"\"errors\":3,\"bytesIn\":5096,\"bytesOut\":2097152,\"held\":2}],"
	"\"machines\":[{\"microvmId\":\"microvm-a\",\"cpuNs\":2000000000,"
	"\"proportionalBytes\":52428800},{\"microvmId\":\"microvm-b\",\"cpuNs\":1000}]}";

static double number(const json_t *rows, size_t i, const char *name)
{
	return json_number_value(json_object_get(json_array_get(rows, i), name));
}

static const char *id(const json_t *rows, size_t i)
{
	return json_string_value(json_object_get(json_array_get(rows, i), "microvmId"));
}

static void test_rates_are_of_the_time_between_two_answers_and_the_busiest_is_first(void **unused)
{
	json_t *before = answer(before_text), *now = answer(now_text);
	json_t *rows = top_rows(before, now, 2.0);

	(void)unused;
	assert_int_equal(json_array_size(rows), 3);
	assert_string_equal(id(rows, 0), "microvm-a");
	assert_true(number(rows, 0, "requests") == 10.0);
	assert_true(number(rows, 0, "errors") == 1.0);
	assert_true(number(rows, 0, "bytesIn") == 2048.0);
	assert_true(number(rows, 0, "cpuPercent") == 50.0);
	assert_true(number(rows, 0, "memoryBytes") == 52428800.0);
	assert_string_equal(id(rows, 2), "microvm-c");
	json_decref(rows);
	json_decref(before);
	json_decref(now);
}

/* Control has been started again, or the machine is another one. */
static void test_what_began_anew_counts_from_nothing(void **unused)
{
	json_t *before = answer(before_text), *now = answer(now_text);
	json_t *rows = top_rows(before, now, 1.0);

	(void)unused;
	assert_string_equal(id(rows, 1), "microvm-b");
	assert_true(number(rows, 1, "requests") == 3.0);
	assert_true(number(rows, 1, "cpuPercent") == 0.0);
	json_decref(rows);
	json_decref(before);
	json_decref(now);
}

static void test_an_answer_that_is_none_gives_an_empty_table(void **unused)
{
	static const char *const texts[] = { "{}", "[]", "{\"endpoints\":7}",
					     "{\"endpoints\":[1,{},null]}" };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *now = answer(texts[i]), *rows = top_rows(now, now, 1.0);

		assert_int_equal(json_array_size(rows), 0);
		json_decref(rows);
		json_decref(now);
	}
}

static char *printed(int columns, int lines)
{
	json_t *before = answer(before_text), *now = answer(now_text);
	json_t *rows = top_rows(before, now, 2.0);
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	top_print(to, now, rows, columns, lines);
	fclose(to);
	json_decref(rows);
	json_decref(before);
	json_decref(now);
	return text;
}

static void test_the_table_says_what_is_known(void **unused)
{
	autofree char *text = printed(0, 0);

	(void)unused;
	assert_non_null(strstr(text, "memory 4.0G of 8.0G available; 2 RUNNING 1 SUSPENDED\n"));
	assert_non_null(strstr(text, "REQ/S"));
	assert_non_null(strstr(text, "    10.0     1.0     2.0K     1.0M   50.0    50.0M\n"));
}

static void test_no_line_is_wider_and_no_table_longer_than_the_terminal(void **unused)
{
	autofree char *text = printed(60, 3);
	size_t lines = 0;

	(void)unused;
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, lines++)
		assert_true(end - line <= 60);
	assert_int_equal(lines, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_rates_are_of_the_time_between_two_answers_and_the_busiest_is_first),
		cmocka_unit_test(test_what_began_anew_counts_from_nothing),
		cmocka_unit_test(test_an_answer_that_is_none_gives_an_empty_table),
		cmocka_unit_test(test_the_table_says_what_is_known),
		cmocka_unit_test(test_no_line_is_wider_and_no_table_longer_than_the_terminal),
	};

	return cmocka_run_group_tests_name("cli/top_rows", tests, NULL, NULL);
}
