/* How slow a peer may be before its time is up. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "net/pace.h"

#define BUDGET 60000
#define RATE   500

static struct pace paced(void)
{
	struct pace p;

	pace_init(&p, BUDGET, RATE);
	pace_turn(&p, true, 0);
	return p;
}

/* Bytes in even steps from @from_ms on; the time at which the budget was spent, or -1. */
static int64_t move(struct pace *p, int64_t from_ms, int64_t until_ms, int64_t step_ms, size_t size)
{
	for (int64_t now = from_ms + step_ms; now <= until_ms; now += step_ms) {
		if (now >= pace_due_ms(p))
			return pace_due_ms(p);
		pace_moved(p, size, now);
	}
	return -1;
}

static void test_silence_may_last_as_long_as_the_budget(void **unused)
{
	struct pace p = paced();

	(void)unused;
	assert_int_equal(pace_due_ms(&p), BUDGET);
}

static void test_a_peer_that_keeps_the_rate_never_runs_out(void **unused)
{
	struct pace p = paced();

	(void)unused;
	assert_int_equal(move(&p, 0, 86400000, 1000, RATE), -1);
	p = paced();
	assert_int_equal(move(&p, 0, 86400000, 50000, 50 * RATE), -1); /* in lumps */
}

static void test_a_byte_now_and_then_does_not_buy_the_whole_budget_again(void **unused)
{
	struct pace p = paced();
	int64_t end = move(&p, 0, 86400000, 10000, 1);

	(void)unused;
	assert_in_range(end, BUDGET, BUDGET + 1000);
}

static void test_a_fast_start_buys_no_more_than_the_budget(void **unused)
{
	struct pace p = paced();

	(void)unused;
	pace_moved(&p, 1UL << 40, 10);
	assert_int_equal(pace_due_ms(&p), 10 + BUDGET);
}

static void test_time_counts_only_while_it_is_the_peers_turn(void **unused)
{
	struct pace p = paced();

	(void)unused;
	pace_turn(&p, false, 20000);
	assert_true(pace_due_ms(&p) == INT64_MAX);
	pace_turn(&p, false, 5000000);
	pace_turn(&p, true, 9000000);
	assert_int_equal(pace_due_ms(&p), 9000000 + BUDGET - 20000);
}

static void test_without_a_rate_any_byte_is_enough(void **unused)
{
	struct pace p;

	(void)unused;
	pace_init(&p, BUDGET, 0);
	pace_turn(&p, true, 0);
	assert_int_equal(move(&p, 0, 86400000, BUDGET - 1, 1), -1);
	pace_init(&p, 0, 0); /* and without a budget, none */
	pace_turn(&p, true, 0);
	assert_true(pace_due_ms(&p) == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silence_may_last_as_long_as_the_budget),
		cmocka_unit_test(test_a_peer_that_keeps_the_rate_never_runs_out),
		cmocka_unit_test(test_a_byte_now_and_then_does_not_buy_the_whole_budget_again),
		cmocka_unit_test(test_a_fast_start_buys_no_more_than_the_budget),
		cmocka_unit_test(test_time_counts_only_while_it_is_the_peers_turn),
		cmocka_unit_test(test_without_a_rate_any_byte_is_enough),
	};

	return cmocka_run_group_tests_name("net/pace", tests, NULL, NULL);
}
