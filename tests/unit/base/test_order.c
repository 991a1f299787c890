/* The order of lists against a plain sorted array. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/order.h"

#define N 2000

struct item {
	struct order_node in;
	char group[8], id[16];
	int64_t at;
};

static struct item items[N];
static struct item *sorted[N];
static size_t n_sorted;
static struct order order;

static int compare(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;
	int by = strcmp(x->group, y->group);

	if (by)
		return by;
	return x->at != y->at ? (x->at < y->at ? -1 : 1) : strcmp(x->id, y->id);
}

/* Many share a group and a time. */
static int fill(void **unused)
{
	(void)unused;
	srand(1);
	order = (struct order){ 0 };
	n_sorted = 0;
	for (size_t i = 0; i < N; i++) {
		struct item *it = &items[i];

		snprintf(it->group, sizeof(it->group), "g%d", rand() % 5);
		snprintf(it->id, sizeof(it->id), "%zu", i);
		it->at = rand() % 100;
		it->in = (struct order_node){ 0 };
		order_add(&order, &it->in, it->group, it->at, it->id);
		sorted[n_sorted++] = it;
	}
	qsort(sorted, n_sorted, sizeof(*sorted), compare);
	return 0;
}

static void drop_half(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < n_sorted; i++) {
		if (rand() % 2)
			sorted[kept++] = sorted[i];
		else
			order_del(&order, &sorted[i]->in);
	}
	n_sorted = kept;
}

static void check_all(void)
{
	for (size_t i = n_sorted; i-- > 0;) {
		const struct item *it = sorted[i];
		const struct item *prev = i ? sorted[i - 1] : NULL;
		bool last = i + 1 == n_sorted || strcmp(sorted[i + 1]->group, it->group) != 0;
		const struct order_node *want =
			prev && !strcmp(prev->group, it->group) ? &prev->in : NULL;

		if (last)
			assert_ptr_equal(order_last(&order, it->group), &it->in);
		if (!want)
			assert_ptr_equal(order_from(&order, it->group, INT64_MIN, ""), &it->in);
		assert_ptr_equal(order_next(&it->in), last ? NULL : &sorted[i + 1]->in);
		assert_ptr_equal(order_from(&order, it->group, it->at, it->id), &it->in);
		assert_ptr_equal(order_prev(&it->in), want);
		assert_ptr_equal(order_before(&order, it->group, it->at, it->id), want);
	}
}

static void test_a_group_is_walked_from_its_newest_to_its_oldest(void **unused)
{
	(void)unused;
	check_all();
}

static void test_what_was_taken_out_is_walked_past(void **unused)
{
	(void)unused;
	drop_half();
	check_all();
	drop_half();
	check_all();
}

static void test_a_place_whose_entry_is_gone_still_has_one_before_it(void **unused)
{
	const struct item *gone = sorted[n_sorted / 2], *prev = sorted[n_sorted / 2 - 1];

	(void)unused;
	order_del(&order, &sorted[n_sorted / 2]->in);
	assert_ptr_equal(order_before(&order, gone->group, gone->at, gone->id), &prev->in);
	order_del(&order, &sorted[n_sorted / 2]->in); /* does nothing */
}

static void test_an_unknown_group_is_empty(void **unused)
{
	(void)unused;
	assert_null(order_last(&order, "none"));
	assert_null(order_last(&order, "g"));
	assert_null(order_before(&order, "g00", 1, ""));
	assert_null(order_last(&(struct order){ 0 }, "g1"));
}

static unsigned depth(const struct order_node *n)
{
	unsigned left = n ? depth(n->left) : 0, right = n ? depth(n->right) : 0;

	return n ? 1 + (left > right ? left : right) : 0;
}

/* Entries that come in order are the rule. */
static void test_it_stays_shallow(void **unused)
{
	struct order o = { 0 };

	(void)unused;
	for (size_t i = 0; i < N; i++)
		order_add(&o, &items[i].in, "g", (int64_t)i, "x");
	assert_true(depth(o.root) < 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_group_is_walked_from_its_newest_to_its_oldest, fill),
		cmocka_unit_test_setup(test_what_was_taken_out_is_walked_past, fill),
		cmocka_unit_test_setup(test_a_place_whose_entry_is_gone_still_has_one_before_it,
				       fill),
		cmocka_unit_test_setup(test_an_unknown_group_is_empty, fill),
		cmocka_unit_test_setup(test_it_stays_shallow, fill),
	};

	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
