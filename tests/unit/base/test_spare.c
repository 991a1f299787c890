/* Blocks that are kept for the next. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/spare.h"

static void test_a_block_is_zeroed_as_far_as_was_asked(void **unused)
{
	struct spare s = SPARE(64);
	static const uint8_t zeros[64];

	(void)unused;
	for (int round = 0; round < 3; round++) {
		uint8_t *block = spare_take(&s, 40);

		assert_memory_equal(block, zeros, 40);
		memset(block, 0xff, 64);
		spare_give(&s, block);
	}
	free(spare_take(&s, 0));
	assert_int_equal(s.n, 0);
}

static void test_more_blocks_than_are_kept_are_freed(void **unused)
{
	struct spare s = SPARE(16);
	void *blocks[SPARE_MOST + 10];

	(void)unused;
	spare_give(&s, NULL);
	assert_int_equal(s.n, 0);
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = spare_take(&s, 16);
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		spare_give(&s, blocks[i]);
	assert_true(s.n <= SPARE_MOST);
	while (s.n)
		free(spare_take(&s, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_block_is_zeroed_as_far_as_was_asked),
		cmocka_unit_test(test_more_blocks_than_are_kept_are_freed),
	};

	return cmocka_run_group_tests_name("base/spare", tests, NULL, NULL);
}
