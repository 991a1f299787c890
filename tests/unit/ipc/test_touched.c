/* The file `touched` of an image version. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/touched.h"

#define PAGES 1000

static size_t runs_of(const struct buf *b, uint64_t pages)
{
	uint64_t first, n;
	size_t at = 0, runs = 0;

	while (touched_next(b->data, b->size, &at, pages, &first, &n))
		runs++;
	return runs;
}

static void assert_run(const struct buf *b, size_t i, uint64_t first, uint64_t n)
{
	uint64_t is_first = 0, is_n = 0;
	size_t at = i * 16;

	assert_true(touched_next(b->data, b->size, &at, PAGES, &is_first, &is_n));
	assert_int_equal(is_first, first);
	assert_int_equal(is_n, n);
}

static void pages_that_are_near_are_one_run(void **state)
{
	autobuf struct buf b = { 0 };
	struct touched t = { .to = &b };

	(void)state;
	touched_add(&t, 0, 2);
	touched_add(&t, 2 + TOUCHED_GAP, 1); /* the gap is read too */
	touched_add(&t, 4 + 2 * TOUCHED_GAP, 1);
	touched_add(&t, PAGES - 1, 1);
	touched_end(&t);
	assert_int_equal(runs_of(&b, PAGES), 3);
	assert_run(&b, 0, 0, 3 + TOUCHED_GAP);
	assert_run(&b, 1, 4 + 2 * TOUCHED_GAP, 1);
	assert_run(&b, 2, PAGES - 1, 1);
}

static void nothing_touched_is_an_empty_file(void **state)
{
	autobuf struct buf b = { 0 };
	struct touched t = { .to = &b };

	(void)state;
	touched_end(&t);
	assert_int_equal(b.size, 0);
	assert_int_equal(runs_of(&b, PAGES), 0);
}

static void a_file_is_read_up_to_where_it_makes_no_sense(void **state)
{
	static const struct {
		uint64_t run[4];
		size_t good;
	} cases[] = {
		{ { 0, 10, 10, 1 }, 2 },         { { 5, 10, 10, 1 }, 1 }, /* overlapping */
		{ { 0, 10, 20, 0 }, 1 },                                  /* empty */
		{ { 0, 10, PAGES - 1, 2 }, 1 },                           /* outside */
		{ { 0, 10, UINT64_MAX, 1 }, 1 },                          /* far outside */
		{ { 0, UINT64_MAX, 20, 1 }, 0 },                          /* endless */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autobuf struct buf b = { 0 };

		buf_add(&b, cases[i].run, sizeof(cases[i].run));
		assert_int_equal(runs_of(&b, PAGES), cases[i].good);
		b.size--; /* cut */
		assert_true(runs_of(&b, PAGES) <= 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_that_are_near_are_one_run),
		cmocka_unit_test(nothing_touched_is_an_empty_file),
		cmocka_unit_test(a_file_is_read_up_to_where_it_makes_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
