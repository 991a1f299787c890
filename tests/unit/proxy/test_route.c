/* The routes: what may happen to a request in each state, and what control is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/route.h"

#define HELD_MAX 1000

static struct route_set row_of(const char *endpoint, const char *machine, enum route_state state)
{
	struct route_set row = { .state = state, .http_ingress = 1 };

	snprintf(row.endpoint, sizeof(row.endpoint), "%s", endpoint);
	snprintf(row.machine, sizeof(row.machine), "%s", machine);
	return row;
}

static struct route *put(struct route_table *t, const char *endpoint, const char *machine,
			 enum route_state state, int64_t now, bool *left)
{
	struct route_set row = row_of(endpoint, machine, state);

	return route_put(t, &row, now, left);
}

static void test_each_state_has_its_gate(void **unused)
{
	static const enum route_gate gates[] = { GATE_GO, GATE_HOLD, GATE_HOLD, GATE_REFUSE };
	struct route_table t;
	bool left;

	(void)unused;
	route_table_init(&t);
	for (size_t state = 0; state < ROUTE_NUM_STATES; state++) {
		struct route *r = put(&t, "a", "m-1", (enum route_state)state, 0, &left);

		assert_int_equal(route_gate(r), gates[state]);
		r->held = true;
		assert_int_equal(route_gate(r), state == ROUTE_OPEN ? GATE_HOLD : gates[state]);
		r->held = false;
	}
	route_free(&t, route_find(&t, "a"));
	route_table_free(&t);
}

static void test_leaving_the_machine_is_told(void **unused)
{
	static const struct {
		enum route_state before, after;
		const char *machine;
		bool left;
	} cases[] = {
		{ ROUTE_OPEN, ROUTE_OPEN, "m-1", false },
		{ ROUTE_OPEN, ROUTE_OPEN, "m-2", true },
		{ ROUTE_OPEN, ROUTE_WAITING, "m-1", true },
		{ ROUTE_OPEN, ROUTE_SLEEPING, "", true },
		{ ROUTE_OPEN, ROUTE_DEAD, "", true },
		{ ROUTE_WAITING, ROUTE_OPEN, "m-1", false },
		{ ROUTE_SLEEPING, ROUTE_DEAD, "", false },
	};
	struct route_table t;

	(void)unused;
	route_table_init(&t);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool left;

		put(&t, "a", "m-1", cases[i].before, 0, &left);
		assert_false(left);
		put(&t, "a", cases[i].machine, cases[i].after, 0, &left);
		assert_int_equal(left, cases[i].left);
		route_free(&t, route_find(&t, "a"));
	}
	route_table_free(&t);
}

static void test_ingress_taken_away_ends_what_runs(void **unused)
{
	struct route_set row = row_of("a", "m-1", ROUTE_OPEN);
	struct route_table t;
	bool left;

	(void)unused;
	route_table_init(&t);
	route_put(&t, &row, 0, &left);
	row.http_ingress = 0;
	route_put(&t, &row, 0, &left);
	assert_true(left);
	route_free(&t, route_find(&t, "a"));
	route_table_free(&t);
}

static void test_the_moment_of_opening_is_kept(void **unused)
{
	struct route_table t;
	struct route *r;
	bool left;

	(void)unused;
	route_table_init(&t);
	r = put(&t, "a", "m-1", ROUTE_OPEN, 100, &left);
	put(&t, "a", "m-1", ROUTE_OPEN, 200, &left);
	assert_int_equal(r->opened_ms, 100);
	put(&t, "a", "m-2", ROUTE_OPEN, 300, &left);
	assert_int_equal(r->opened_ms, 300);
	put(&t, "a", "", ROUTE_SLEEPING, 400, &left);
	put(&t, "a", "m-3", ROUTE_OPEN, 500, &left);
	assert_int_equal(r->opened_ms, 500);
	route_free(&t, r);
	route_table_free(&t);
}

static void test_a_hold_ends_with_the_suspend_or_with_control(void **unused)
{
	struct route_table t;
	struct route *r;
	bool left;

	(void)unused;
	route_table_init(&t);
	r = put(&t, "a", "m-1", ROUTE_OPEN, 0, &left);
	r->held = true;
	put(&t, "a", "m-1", ROUTE_OPEN, 0, &left);
	assert_true(r->held);
	put(&t, "a", "m-1", ROUTE_WAITING, 0, &left);
	assert_false(r->held);
	put(&t, "a", "m-1", ROUTE_OPEN, 0, &left);
	r->held = true;
	route_unsee(&t); /* another control */
	assert_int_equal(route_gate(r), GATE_HOLD);
	put(&t, "a", "m-1", ROUTE_OPEN, 0, &left);
	assert_int_equal(route_gate(r), GATE_GO);
	route_free(&t, r);
	route_table_free(&t);
}

static void test_many_waiters_wake_once(void **unused)
{
	struct waiter w[100] = { 0 };
	struct held_clock c;
	struct route_table t;
	struct route *r;
	bool left;
	int wakes = 0;

	(void)unused;
	route_table_init(&t);
	held_clock_init(&c);
	r = put(&t, "a", "", ROUTE_SLEEPING, 0, &left);
	assert_false(route_take_wake(r)); /* nobody waits */
	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		assert_true(held_add(&r->waiting, &c, &w[i], 1, HELD_MAX));
		wakes += route_take_wake(r);
	}
	assert_int_equal(wakes, 1);
	put(&t, "a", "", ROUTE_SLEEPING, 0, &left);
	assert_false(route_take_wake(r));
	/* it woke and sleeps again while some still wait: another time */
	put(&t, "a", "m-1", ROUTE_WAITING, 0, &left);
	assert_false(route_take_wake(r));
	put(&t, "a", "", ROUTE_SLEEPING, 0, &left);
	assert_true(route_take_wake(r));
	/* control was started again and may not know */
	route_unsee(&t);
	put(&t, "a", "", ROUTE_SLEEPING, 0, &left);
	assert_true(route_take_wake(r));
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		held_remove(&w[i]);
	route_free(&t, r);
	route_table_free(&t);
}

static void test_what_a_new_control_does_not_send_is_found(void **unused)
{
	struct route_table t;
	struct route *r;
	bool left;
	char name[UUID_SIZE];

	(void)unused;
	route_table_init(&t);
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "endpoint-%d", i);
		put(&t, name, "m-1", ROUTE_OPEN, 0, &left);
	}
	assert_null(route_unseen(&t));
	route_unsee(&t);
	for (int i = 0; i < 3000; i += 3) {
		snprintf(name, sizeof(name), "endpoint-%d", i);
		assert_non_null(route_find(&t, name));
		put(&t, name, "m-1", ROUTE_OPEN, 0, &left);
	}
	while ((r = route_unseen(&t)))
		route_free(&t, r);
	assert_int_equal(t.by_endpoint.n, 1000);
	assert_null(route_find(&t, "endpoint-1"));
	assert_non_null(route_find(&t, "endpoint-2997"));
	route_unsee(&t);
	while ((r = route_unseen(&t)))
		route_free(&t, r);
	route_table_free(&t);
}

static void test_bytes_are_reported_once_per_endpoint(void **unused)
{
	struct route_table t;
	struct route *a, *b;
	bool left;

	(void)unused;
	route_table_init(&t);
	a = put(&t, "a", "m-1", ROUTE_OPEN, 0, &left);
	b = put(&t, "b", "m-2", ROUTE_OPEN, 0, &left);
	route_touch(&t, a, 10);
	route_touch(&t, b, 11);
	route_touch(&t, a, 12);
	assert_ptr_equal(route_take_active(&t), a);
	assert_int_equal(a->last_byte_ms, 12);
	assert_ptr_equal(route_take_active(&t), b);
	assert_null(route_take_active(&t));
	route_touch(&t, a, 13);
	route_free(&t, a); /* with bytes unreported */
	assert_null(route_take_active(&t));
	route_free(&t, b);
	route_table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_state_has_its_gate),
		cmocka_unit_test(test_leaving_the_machine_is_told),
		cmocka_unit_test(test_ingress_taken_away_ends_what_runs),
		cmocka_unit_test(test_the_moment_of_opening_is_kept),
		cmocka_unit_test(test_a_hold_ends_with_the_suspend_or_with_control),
		cmocka_unit_test(test_many_waiters_wake_once),
		cmocka_unit_test(test_what_a_new_control_does_not_send_is_found),
		cmocka_unit_test(test_bytes_are_reported_once_per_endpoint),
	};

	return cmocka_run_group_tests_name("proxy/route", tests, NULL, NULL);
}
