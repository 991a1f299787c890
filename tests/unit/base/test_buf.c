/* Growing bytes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "leftover.h"

static void test_what_is_added_is_there_in_order(void **unused)
{
	autobuf struct buf b = { 0 };

	(void)unused;
	buf_adds(&b, "one ");
	buf_addf(&b, "%s %d", "two", 3);
	assert_string_equal(buf_str(&b), "one two 3");
	buf_drop(&b, 4);
	assert_string_equal(buf_str(&b), "two 3");
}

static void test_numbers_are_written_in_decimal(void **unused)
{
	static const uint64_t numbers[] = { 0, 7, 10, 200, 1024, INT64_MAX, UINT64_MAX };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		autobuf struct buf b = { 0 }, same = { 0 };

		buf_add_number(&b, numbers[i]);
		buf_addf(&same, "%llu", (unsigned long long)numbers[i]);
		assert_string_equal(buf_str(&b), buf_str(&same));
	}
}

static void test_what_is_formatted_grows_past_the_room(void **unused)
{
	static const char text[] = "0123456789";

	(void)unused;
	for (int size = 0; size < 200; size++) {
		autobuf struct buf b = { 0 };
		char same[300];

		buf_addf(&b, "%s%*d%s", text, size, 1, text);
		snprintf(same, sizeof(same), "%s%*d%s", text, size, 1, text);
		assert_string_equal(buf_str(&b), same);
		assert_int_equal(b.size, strlen(same));
	}
}

static void test_a_stock_gives_empty_buffers(void **unused)
{
	struct buf_stock stock = { .most = 256, .keep = 3 };
	struct buf small = { 0 }, large = { 0 }, many[8] = { 0 };

	(void)unused;
	buf_adds(&small, "what the last one said");
	buf_reserve(&large, 1000);
	buf_give(&stock, &small);
	buf_give(&stock, &large);
	assert_null(small.data);
	assert_null(large.data);
	assert_true(stock.n <= 1);
	buf_take(&stock, &small);
	assert_int_equal(small.size, 0);
	buf_adds(&small, "x");
	buf_take(&stock, &small); /* has memory */
	assert_string_equal(buf_str(&small), "x");
	buf_free(&small);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		buf_adds(&many[i], "y");
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		buf_give(&stock, &many[i]);
	assert_true(stock.n <= 3);
	while (stock.n) {
		buf_take(&stock, &large);
		buf_free(&large);
	}
}

static void test_it_grows_past_its_first_room(void **unused)
{
	autobuf struct buf b = { 0 };

	(void)unused;
	for (int i = 0; i < 10000; i++)
		buf_add(&b, "x", 1);
	assert_int_equal(b.size, 10000);
	buf_clear(&b);
	assert_int_equal(b.size, 0);
}

static void test_a_secret_buffer_leaves_no_copy_of_what_it_held(void **unused)
{
	struct buf b = { .secret = true };

	(void)unused;
	leftover_watch("hush-hush");
	buf_adds(&b, "hush-hush");
	for (int i = 0; i < 10000; i++)
		buf_addf(&b, "%s", "more and more");
	assert_memory_equal(b.data, "hush-hushmore", 13);
	buf_drop(&b, 4); /* what lies behind the end now, is wiped as well */
	buf_clear(&b);
	buf_free(&b);
	assert_int_equal(leftover_found(), 0);
	assert_true(b.secret);
	buf_free(&b);
}

static void test_the_test_of_leftovers_finds_some(void **unused)
{
	struct buf b = { 0 };

	(void)unused;
	leftover_watch("hush-hush");
	buf_adds(&b, "hush-hush");
	buf_reserve(&b, 100000);
	buf_free(&b);
	assert_int_equal(leftover_found(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_added_is_there_in_order),
		cmocka_unit_test(test_numbers_are_written_in_decimal),
		cmocka_unit_test(test_what_is_formatted_grows_past_the_room),
		cmocka_unit_test(test_a_stock_gives_empty_buffers),
		cmocka_unit_test(test_it_grows_past_its_first_room),
		cmocka_unit_test(test_a_secret_buffer_leaves_no_copy_of_what_it_held),
		cmocka_unit_test(test_the_test_of_leftovers_finds_some),
	};

	return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
