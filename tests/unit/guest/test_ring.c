/* The bytes that a shell's session keeps. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guest/ring.h"

static void test_the_last_bytes_keep_their_numbers(void **unused)
{
	struct ring r = { .room = 7 };
	uint8_t all[200];

	(void)unused;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	for (size_t done = 0, piece = 1; done < sizeof(all);
	     done += piece, piece = piece % 11 + 1) {
		if (piece > sizeof(all) - done)
			piece = sizeof(all) - done;
		ring_add(&r, all + done, piece);
		assert_int_equal(r.end, done + piece);
		assert_int_equal(ring_begin(&r), r.end > 7 ? r.end - 7 : 0);
		for (uint64_t at = ring_begin(&r); at < r.end;) {
			size_t n;
			const uint8_t *data = ring_at(&r, at, 4, &n);

			assert_in_range(n, 1, 4);
			assert_memory_equal(data, all + at, n);
			at += n;
		}
	}
	ring_free(&r);
}

static void test_nothing_is_allocated_before_the_first_byte(void **unused)
{
	struct ring r = { .room = 1 << 30 };
	size_t n = 1;

	(void)unused;
	ring_at(&r, 0, 10, &n);
	assert_int_equal(n, 0);
	assert_null(r.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_last_bytes_keep_their_numbers),
		cmocka_unit_test(test_nothing_is_allocated_before_the_first_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
