/* A child that prints nothing: when it is warned of, and when it is given up. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/step_silence.h"

#define LIMIT (600 * 1000)

/* Samples every five seconds until @until_ms, of a child that uses so much in each. */
static enum silence_say run(struct silence *s, int64_t *now_ms, int64_t until_ms, uint64_t cpu_ms,
			    uint64_t written)
{
	enum silence_say said = SILENCE_GO_ON;

	while (said == SILENCE_GO_ON && *now_ms < until_ms) {
		*now_ms += 5000;
		said = silence_sample(s, *now_ms, s->cpu_ms + cpu_ms, s->written + written);
	}
	return said;
}

static void test_silence_is_warned_of_once_and_ends_an_idle_child(void **unused)
{
	struct silence s;
	int64_t now_ms = 1000;

	(void)unused;
	silence_begin(&s, LIMIT, now_ms);
	assert_int_equal(run(&s, &now_ms, INT64_MAX, 10, 100), SILENCE_WARN);
	assert_int_equal(now_ms, 1000 + SILENCE_WARN_MS);
	assert_int_equal(run(&s, &now_ms, INT64_MAX, 10, 100), SILENCE_END);
	assert_int_equal(now_ms, 1000 + LIMIT);
}

static void test_what_works_is_warned_of_and_not_ended(void **unused)
{
	static const struct {
		uint64_t cpu_ms, written;
	} works[] = { { 250, 0 }, { 0, SILENCE_WRITTEN } };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(works); i++) {
		struct silence s;
		int64_t now_ms = 0;

		silence_begin(&s, LIMIT, now_ms);
		assert_int_equal(run(&s, &now_ms, INT64_MAX, works[i].cpu_ms, works[i].written),
				 SILENCE_WARN);
		assert_int_equal(run(&s, &now_ms, 10 * LIMIT, works[i].cpu_ms, works[i].written),
				 SILENCE_GO_ON);
		/* When it stops working, the limit counts from there. */
		assert_int_equal(run(&s, &now_ms, INT64_MAX, 0, 0), SILENCE_END);
		assert_int_equal(now_ms, 11 * LIMIT);
	}
}

static void test_a_line_begins_everything_anew(void **unused)
{
	struct silence s;
	int64_t now_ms = 0;

	(void)unused;
	silence_begin(&s, LIMIT, now_ms);
	assert_int_equal(run(&s, &now_ms, INT64_MAX, 0, 0), SILENCE_WARN);
	silence_heard(&s, now_ms);
	assert_int_equal(run(&s, &now_ms, INT64_MAX, 0, 0), SILENCE_WARN);
	assert_int_equal(now_ms, 2 * SILENCE_WARN_MS);
	silence_heard(&s, now_ms);
	assert_int_equal(run(&s, &now_ms, now_ms + SILENCE_WARN_MS - 5000, 0, 0), SILENCE_GO_ON);
}

static void test_without_a_limit_nothing_is_ended(void **unused)
{
	struct silence s;
	int64_t now_ms = 0;

	(void)unused;
	silence_begin(&s, 0, now_ms);
	assert_int_equal(run(&s, &now_ms, INT64_MAX, 0, 0), SILENCE_WARN);
	assert_int_equal(run(&s, &now_ms, 100 * LIMIT, 0, 0), SILENCE_GO_ON);
}

static void test_a_short_limit_is_warned_of_at_its_half(void **unused)
{
	struct silence s;

	(void)unused;
	silence_begin(&s, 1000, 0);
	assert_int_equal(silence_sample(&s, 499, 0, 0), SILENCE_GO_ON);
	assert_int_equal(silence_sample(&s, 500, 0, 0), SILENCE_WARN);
	assert_int_equal(silence_sample(&s, 999, 0, 0), SILENCE_GO_ON);
	assert_int_equal(silence_sample(&s, 1000, 0, 0), SILENCE_END);
	assert_in_range(silence_wait_ms(&s), 50, 250);
}

static void test_sums_that_fall_are_no_work(void **unused)
{
	struct silence s;

	(void)unused;
	silence_begin(&s, LIMIT, 0);
	assert_int_equal(silence_sample(&s, 5000, 900000, 1 << 30), SILENCE_GO_ON);
	assert_int_equal(s.worked_ms, 5000);
	assert_int_equal(silence_sample(&s, 10000, 100, 100), SILENCE_GO_ON);
	assert_int_equal(s.worked_ms, 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silence_is_warned_of_once_and_ends_an_idle_child),
		cmocka_unit_test(test_what_works_is_warned_of_and_not_ended),
		cmocka_unit_test(test_a_line_begins_everything_anew),
		cmocka_unit_test(test_without_a_limit_nothing_is_ended),
		cmocka_unit_test(test_a_short_limit_is_warned_of_at_its_half),
		cmocka_unit_test(test_sums_that_fall_are_no_work),
	};

	return cmocka_run_group_tests_name("image/step_silence", tests, NULL, NULL);
}
