/* Requests that wait: in order, bounded in number, bytes and time. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/hold.h"

#define HELD_MOST 1000

static void test_waiters_leave_in_the_order_they_came(void **unused)
{
	struct waiter w[3] = { 0 };
	struct hold_clock c;
	struct hold h;

	(void)unused;
	hold_init(&h);
	hold_clock_init(&c);
	assert_int_equal(hold_next_ms(&c), -1);
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		assert_true(hold_add(&h, &c, &w[i], 100, HELD_MOST));
	assert_ptr_equal(hold_first(&h), &w[0]);
	hold_remove(&w[0]);
	hold_remove(&w[0]); /* twice is harmless */
	assert_ptr_equal(hold_first(&h), &w[1]);
	hold_remove(&w[2]); /* a client that goes away */
	hold_remove(&w[1]);
	assert_null(hold_first(&h));
	assert_int_equal(h.n, 0);
	assert_int_equal(hold_next_ms(&c), -1);
}

static void test_only_so_many_may_wait_at_one_endpoint(void **unused)
{
	struct waiter *w = xcalloc(HELD_MOST + 1, sizeof(*w)), other = { 0 };
	struct hold h, h2;
	struct hold_clock c;

	(void)unused;
	hold_init(&h);
	hold_init(&h2);
	hold_clock_init(&c);
	for (size_t i = 0; i < HELD_MOST; i++)
		assert_true(hold_add(&h, &c, &w[i], (int64_t)i, HELD_MOST));
	assert_false(hold_add(&h, &c, &w[HELD_MOST], 9, HELD_MOST));
	assert_true(hold_add(&h2, &c, &other, 9, HELD_MOST));
	hold_remove(&w[0]);
	assert_true(hold_add(&h, &c, &w[HELD_MOST], 9, HELD_MOST));
	free(w);
}

static void test_unread_bytes_are_counted_once(void **unused)
{
	struct waiter a = { 0 }, b = { 0 };
	struct hold_clock c;
	struct hold h;

	(void)unused;
	hold_init(&h);
	hold_clock_init(&c);
	assert_true(hold_add(&h, &c, &a, 1, HELD_MOST));
	assert_true(hold_add(&h, &c, &b, 1, HELD_MOST));
	assert_true(hold_unread(&a, 600, 1000));
	assert_true(hold_unread(&a, 700, 1000)); /* the same bytes and some more */
	assert_true(hold_unread(&b, 300, 1000));
	assert_false(hold_unread(&b, 301, 1000));
	hold_remove(&b);
	assert_int_equal(h.unread, 700);
	hold_remove(&a);
	assert_int_equal(h.unread, 0);
}

static void test_the_soonest_deadline_is_served_first(void **unused)
{
	struct waiter a = { 0 }, b = { 0 }, again = { 0 };
	struct hold h, h2;
	struct hold_clock c;

	(void)unused;
	hold_init(&h);
	hold_init(&h2);
	hold_clock_init(&c);
	assert_true(hold_add(&h, &c, &a, 100, HELD_MOST));
	assert_true(hold_add(&h2, &c, &b, 200, HELD_MOST));
	assert_true(hold_add(&h, &c, &again, 50, HELD_MOST)); /* it had waited before */
	assert_int_equal(hold_next_ms(&c), 50);
	assert_null(hold_late(&c, 49));
	assert_ptr_equal(hold_late(&c, 150), &again);
	hold_remove(&again);
	assert_ptr_equal(hold_late(&c, 150), &a);
	hold_remove(&a);
	assert_null(hold_late(&c, 150));
	assert_int_equal(hold_next_ms(&c), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waiters_leave_in_the_order_they_came),
		cmocka_unit_test(test_only_so_many_may_wait_at_one_endpoint),
		cmocka_unit_test(test_unread_bytes_are_counted_once),
		cmocka_unit_test(test_the_soonest_deadline_is_served_first),
	};

	return cmocka_run_group_tests_name("proxy/hold", tests, NULL, NULL);
}
