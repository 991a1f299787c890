/* What control shows of a build's steps, from what the image role told of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/images/build_progress.h"

static struct build b;

static int setup(void **unused)
{
	(void)unused;
	b = (struct build){ 0 };
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	free(b.parts);
	return 0;
}

static void note(int64_t now_ms, uint32_t n, uint32_t part, const char *text, const char *detail,
		 uint64_t log_bytes)
{
	struct build_step step = { .n = n, .of = 14, .part = part, .log_bytes = log_bytes };

	if (part)
		step.parts = 3;
	strcpy(step.step, "build");
	strcpy(step.text, text);
	strcpy(step.detail, detail);
	build_progress_note(&b, &step, now_ms);
}

static json_t *steps(size_t from, int64_t now_ms)
{
	json_t *all = build_progress_steps(&b, from, now_ms);

	assert_non_null(all);
	return all;
}

static void test_a_step_ends_when_the_next_one_begins(void **unused)
{
	json_t *all, *first, *second;

	(void)unused;
	note(1000, 4, 1, "FROM debian", "", 10);
	note(3500, 4, 2, "RUN make", "", 30);
	all = steps(0, 4000);
	assert_int_equal(json_array_size(all), 2);
	first = json_array_get(all, 0);
	second = json_array_get(all, 1);
	assert_true(json_is_true(json_object_get(first, "ended")));
	assert_true(json_number_value(json_object_get(first, "seconds")) == 2.5);
	assert_int_equal(json_integer_value(json_object_get(first, "logFrom")), 10);
	assert_int_equal(json_integer_value(json_object_get(first, "logTo")), 30);
	assert_true(json_is_false(json_object_get(second, "ended")));
	assert_true(json_number_value(json_object_get(second, "seconds")) == 0.5);
	assert_string_equal(json_string_value(json_object_get(second, "text")), "RUN make");
	assert_int_equal(json_integer_value(json_object_get(second, "parts")), 3);
	assert_true(json_is_null(json_object_get(second, "stage")));
	assert_true(json_is_null(json_object_get(second, "detail")));
	json_decref(all);
	all = steps(1, 4000);
	assert_int_equal(json_array_size(all), 1);
	json_decref(all);
	all = steps(7, 4000);
	assert_int_equal(json_array_size(all), 0);
	json_decref(all);
}

static void test_a_message_with_the_same_numbers_tells_more_of_the_step(void **unused)
{
	json_t *all;

	(void)unused;
	note(0, 8, 0, "start the application", "", 0);
	note(900, 8, 0, "start the application", "waits for port 8080", 5);
	all = steps(0, 1000);
	assert_int_equal(json_array_size(all), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(all, 0), "detail")),
			    "waits for port 8080");
	assert_true(json_number_value(json_object_get(json_array_get(all, 0), "seconds")) == 1.0);
	json_decref(all);
	assert_string_equal(b.step, "build");
	assert_int_equal(b.step_n, 8);
}

static void test_the_last_step_ends_with_the_build(void **unused)
{
	json_t *all;

	(void)unused;
	build_progress_stop(&b, 0); /* none has begun */
	note(0, 1, 0, "fetch", "", 7);
	build_progress_stop(&b, 2000);
	build_progress_stop(&b, 9000);
	all = steps(0, 10000);
	assert_true(json_is_true(json_object_get(json_array_get(all, 0), "ended")));
	assert_true(json_number_value(json_object_get(json_array_get(all, 0), "seconds")) == 2.0);
	json_decref(all);
}

static void test_texts_without_an_end_and_without_sense_are_shown_in_part(void **unused)
{
	struct build_step step;
	json_t *all;

	(void)unused;
	memset(&step, 'x', sizeof(step));
	build_progress_note(&b, &step, 0);
	memset(step.text, 0xff, sizeof(step.text));
	step.n = 2;
	build_progress_note(&b, &step, 0);
	all = steps(0, 0);
	assert_int_equal(strlen(json_string_value(json_object_get(json_array_get(all, 0), "text"))),
			 sizeof(step.text) - 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(all, 1), "text")),
			    "?");
	json_decref(all);
}

static void test_steps_without_number_do_not_fill_the_memory(void **unused)
{
	json_t *all;

	(void)unused;
	for (uint32_t i = 1; i <= 2 * BUILD_PARTS_MAX; i++)
		note(i, 4, i, "RUN x", "", i);
	all = steps(0, 0);
	assert_int_equal(json_array_size(all), BUILD_PARTS_MAX);
	json_decref(all);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_step_ends_when_the_next_one_begins),
		TEST(test_a_message_with_the_same_numbers_tells_more_of_the_step),
		TEST(test_the_last_step_ends_with_the_build),
		TEST(test_texts_without_an_end_and_without_sense_are_shown_in_part),
		TEST(test_steps_without_number_do_not_fill_the_memory),
	};

	return cmocka_run_group_tests_name("images/build_progress", tests, NULL, NULL);
}
