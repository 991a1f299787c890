/* Datagrams as frames of a stream. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire/datagram.h"

static void test_frames_come_back_one_by_one_however_they_are_cut(void **unused)
{
	static uint8_t large[DATAGRAM_MAX];
	autobuf struct buf b = { 0 };
	const size_t sizes[] = { 0, 1, 512, DATAGRAM_MAX };
	size_t n = 0, at = 0;

	(void)unused;
	memset(large, 'x', sizeof(large));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		datagram_put(&b, large, sizes[i]);
	for (size_t end = 0; end <= b.size; end++) {
		const uint8_t *datagram;
		size_t length, used;

		while (datagram_next(b.data + at, end - at, &datagram, &length, &used) == 1) {
			assert_int_equal(length, sizes[n++]);
			assert_memory_equal(datagram, large, length);
			at += used;
			assert_int_equal(at, end);
		}
	}
	assert_int_equal(n, ARRAY_SIZE(sizes));
	assert_int_equal(at, b.size);
}

static void test_a_length_that_no_datagram_has_is_refused(void **unused)
{
	const uint8_t most[] = { 0xff, 0xe3 }, above[] = { 0xff, 0xe4 };
	const uint8_t *datagram;
	size_t length, used;

	(void)unused;
	assert_int_equal(datagram_next(most, 2, &datagram, &length, &used), 0);
	assert_int_equal(datagram_next(above, 2, &datagram, &length, &used), -1);
	assert_int_equal(datagram_next(above, 1, &datagram, &length, &used), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_come_back_one_by_one_however_they_are_cut),
		cmocka_unit_test(test_a_length_that_no_datagram_has_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
