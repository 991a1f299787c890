/* Requests that wait: in order, bounded in number, bytes and time. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/held_requests.h"

#define HELD_MAX 1000

static void test_waiters_leave_in_the_order_they_came(void **unused)
{
	struct waiter w[3] = { 0 };
	struct held_clock c;
	struct held_requests h;

	(void)unused;
	held_init(&h);
	held_clock_init(&c);
	assert_int_equal(held_next_ms(&c), -1);
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		assert_true(held_add(&h, &c, &w[i], 100, HELD_MAX));
	assert_ptr_equal(held_first(&h), &w[0]);
	held_remove(&w[0]);
	held_remove(&w[0]); /* twice is harmless */
	assert_ptr_equal(held_first(&h), &w[1]);
	held_remove(&w[2]); /* a client that goes away */
	held_remove(&w[1]);
	assert_null(held_first(&h));
	assert_int_equal(h.n, 0);
	assert_int_equal(held_next_ms(&c), -1);
}

static void test_one_that_waits_again_keeps_its_turn(void **unused)
{
	struct waiter w[3] = { 0 };
	struct held_requests h;
	struct held_clock c;

	(void)unused;
	held_init(&h);
	held_clock_init(&c);
	held_take_turn(&h, &w[0]); /* it did not have to wait at first */
	for (size_t i = 1; i < ARRAY_SIZE(w); i++)
		assert_true(held_add(&h, &c, &w[i], 100, HELD_MAX));
	assert_ptr_equal(held_first(&h), &w[1]);
	held_remove(&w[1]);
	assert_true(held_add(&h, &c, &w[0], 100, HELD_MAX));
	assert_true(held_add(&h, &c, &w[1], 100, HELD_MAX));
	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		assert_ptr_equal(held_first(&h), &w[i]);
		held_remove(&w[i]);
	}
}

static void test_only_so_many_may_wait_at_one_endpoint(void **unused)
{
	struct waiter *w = xcalloc(HELD_MAX + 1, sizeof(*w)), other = { 0 };
	struct held_requests h, h2;
	struct held_clock c;

	(void)unused;
	held_init(&h);
	held_init(&h2);
	held_clock_init(&c);
	for (size_t i = 0; i < HELD_MAX; i++)
		assert_true(held_add(&h, &c, &w[i], (int64_t)i, HELD_MAX));
	assert_false(held_add(&h, &c, &w[HELD_MAX], 9, HELD_MAX));
	assert_true(held_add(&h2, &c, &other, 9, HELD_MAX));
	held_remove(&w[0]);
	assert_true(held_add(&h, &c, &w[HELD_MAX], 9, HELD_MAX));
	free(w);
}

static void test_unread_bytes_are_counted_once(void **unused)
{
	struct waiter a = { 0 }, b = { 0 };
	struct held_clock c;
	struct held_requests h;

	(void)unused;
	held_init(&h);
	held_clock_init(&c);
	assert_true(held_add(&h, &c, &a, 1, HELD_MAX));
	assert_true(held_add(&h, &c, &b, 1, HELD_MAX));
	assert_true(held_unread(&a, 600, 1000));
	assert_true(held_unread(&a, 700, 1000)); /* the same bytes and some more */
	assert_true(held_unread(&b, 300, 1000));
	assert_false(held_unread(&b, 301, 1000));
	held_remove(&b);
	assert_int_equal(h.unread, 700);
	held_remove(&a);
	assert_int_equal(h.unread, 0);
}

static void test_the_soonest_deadline_is_served_first(void **unused)
{
	struct waiter a = { 0 }, b = { 0 }, again = { 0 };
	struct held_requests h, h2;
	struct held_clock c;

	(void)unused;
	held_init(&h);
	held_init(&h2);
	held_clock_init(&c);
	assert_true(held_add(&h, &c, &a, 100, HELD_MAX));
	assert_true(held_add(&h2, &c, &b, 200, HELD_MAX));
	assert_true(held_add(&h, &c, &again, 50, HELD_MAX)); /* it had waited before */
	assert_int_equal(held_next_ms(&c), 50);
	assert_null(held_late(&c, 49));
	assert_ptr_equal(held_late(&c, 150), &again);
	held_remove(&again);
	assert_ptr_equal(held_late(&c, 150), &a);
	held_remove(&a);
	assert_null(held_late(&c, 150));
	assert_int_equal(held_next_ms(&c), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waiters_leave_in_the_order_they_came),
		cmocka_unit_test(test_one_that_waits_again_keeps_its_turn),
		cmocka_unit_test(test_only_so_many_may_wait_at_one_endpoint),
		cmocka_unit_test(test_unread_bytes_are_counted_once),
		cmocka_unit_test(test_the_soonest_deadline_is_served_first),
	};

	return cmocka_run_group_tests_name("proxy/held_requests", tests, NULL, NULL);
}
