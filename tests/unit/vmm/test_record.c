#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/snap/record.h"

struct thing {
	uint32_t a;
	uint8_t b[5];
	uint64_t c;
};

static const struct snap_field fields[] = {
	SNAP(1, struct thing, a),
	SNAP(2, struct thing, b),
	SNAP(4, struct thing, c),
	SNAP_END,
};

static void put(struct buf *b, const char tag[5], uint32_t index, const struct thing *t)
{
	size_t mark = record_begin(b, tag, index, 1);

	snap_put(b, fields, t);
	record_end(b, mark);
}

static const struct thing one = { 7, "four", ~0ULL }, two = { 8, "five", 1 };

static struct buf row(void)
{
	struct buf b = { 0 };

	put(&b, "AAAA", 0, &one);
	put(&b, "AAAA", 1, &two);
	put(&b, "BBBB", 0, &two);
	return b;
}

static void a_record_is_found_and_its_fields_come_back(void **state)
{
	autobuf struct buf b = row();
	struct thing t = { 0 };
	struct record r;
	struct err e;

	(void)state;
	assert_int_equal(record_check(b.data, b.size, &e), 0);
	assert_int_equal(record_find(&(struct rows){ b.data, b.size, 0 }, "AAAA", 1, 1, &r, &e), 0);
	assert_int_equal(snap_get(r.data, r.size, fields, &t, &e), 0);
	assert_int_equal(t.a, 8);
	assert_string_equal((char *)t.b, "five");
	assert_int_equal(t.c, 1);
}

static void what_is_missing_or_newer_is_refused_by_name(void **state)
{
	autobuf struct buf b = row();
	struct record r;
	struct err e;

	(void)state;
	assert_int_equal(record_find(&(struct rows){ b.data, b.size, 0 }, "CCCC", 0, 1, &r, &e),
			 -1);
	assert_non_null(strstr(e.text, "CCCC"));
	assert_int_equal(record_find(&(struct rows){ b.data, b.size, 0 }, "BBBB", 0, 0, &r, &e),
			 -1);
	assert_non_null(strstr(e.text, "BBBB"));
}

static void every_cut_and_every_flipped_bit_that_matters_is_found(void **state)
{
	autobuf struct buf b = row();
	struct err e;

	(void)state;
	for (size_t size = 1; size < b.size; size++) {
		autofree uint8_t *cut = xmalloc(size);

		memcpy(cut, b.data, size);
		if (!record_check(cut, size, &e)) /* a cut between two records */
			assert_int_equal(size % (b.size / 3), 0);
	}
	for (size_t bit = 28 * 8; bit < 64 * 8; bit++) { /* from the first record's zeros on */
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(record_check(b.data, b.size, &e), -1);
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void a_record_stands_once(void **state)
{
	autobuf struct buf b = row();
	struct err e;

	(void)state;
	put(&b, "AAAA", 1, &one);
	assert_int_equal(record_check(b.data, b.size, &e), -1);
}

static void a_field_that_is_missing_or_of_another_size_is_refused(void **state)
{
	static const struct snap_field more[] = { SNAP(1, struct thing, a),
						  SNAP(9, struct thing, c), SNAP_END };
	static const struct snap_field other[] = { SNAP(1, struct thing, c), SNAP_END };
	struct buf b = { 0 };
	struct thing t;
	struct err e;

	(void)state;
	snap_put(&b, fields, &one);
	assert_int_equal(snap_get(b.data, b.size, more, &t, &e), -1);
	assert_non_null(strstr(e.text, "9"));
	assert_int_equal(snap_get(b.data, b.size, other, &t, &e), -1);
	assert_int_equal(snap_get(b.data, b.size - 1, fields, &t, &e), -1);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_found_and_its_fields_come_back),
		cmocka_unit_test(what_is_missing_or_newer_is_refused_by_name),
		cmocka_unit_test(every_cut_and_every_flipped_bit_that_matters_is_found),
		cmocka_unit_test(a_record_stands_once),
		cmocka_unit_test(a_field_that_is_missing_or_of_another_size_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
