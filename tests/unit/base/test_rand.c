/* Identifiers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"

static void test_a_uuid_is_valid_and_new(void **unused)
{
	char a[UUID_SIZE], b[UUID_SIZE];

	(void)unused;
	rand_uuid(a);
	rand_uuid(b);
	assert_true(uuid_valid(a));
	assert_string_not_equal(a, b);
}

static void test_a_stock_gives_out_no_byte_twice(void **unused)
{
	enum { N = 500, SIZE = 24 };
	static struct rand_stock stock;
	static uint8_t drawn[N][SIZE];
	static const uint8_t wiped[SIZE];

	(void)unused;
	for (size_t i = 0; i < N; i++) {
		rand_draw(&stock, drawn[i], SIZE);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(drawn[i], drawn[j], SIZE);
		assert_memory_equal(stock.bytes + sizeof(stock.bytes) - stock.left - SIZE, wiped,
				    SIZE);
	}
}

static void test_a_stock_gives_what_it_cannot_hold(void **unused)
{
	static struct rand_stock stock;
	static uint8_t large[sizeof(stock.bytes) + 1], none[64];
	char id[UUID_SIZE];

	(void)unused;
	rand_draw(&stock, large, sizeof(large));
	assert_memory_not_equal(large + sizeof(large) - sizeof(none), none, sizeof(none));
	rand_draw_uuid(&stock, id);
	assert_true(uuid_valid(id));
}

static void test_other_texts_are_no_uuid(void **unused)
{
	(void)unused;
	assert_false(uuid_valid(""));
	assert_false(uuid_valid("microvm"));
	assert_false(uuid_valid("00000000-0000-0000-0000-00000000000"));
	assert_false(uuid_valid("00000000-0000-0000-0000-0000000000000"));
	assert_false(uuid_valid("00000000-0000-0000-0000-00000000000G"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_uuid_is_valid_and_new),
		cmocka_unit_test(test_a_stock_gives_out_no_byte_twice),
		cmocka_unit_test(test_a_stock_gives_what_it_cannot_hold),
		cmocka_unit_test(test_other_texts_are_no_uuid),
	};

	return cmocka_run_group_tests_name("base/rand", tests, NULL, NULL);
}
