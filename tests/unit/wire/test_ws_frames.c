/* Frames of a WebSocket, cut anywhere. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "wire/ws_frames.h"

static void put_frame(struct buf *b, uint8_t first, bool masked, size_t size)
{
	uint8_t head[10] = { first, masked ? 0x80 : 0 };
	size_t n = 2;

	if (size < 126) {
		head[1] |= (uint8_t)size;
	} else {
		head[1] |= size < 65536 ? 126 : 127;
		n = size < 65536 ? 4 : 10;
		for (size_t i = 0; i < n - 2; i++)
			head[n - 1 - i] = (uint8_t)(size >> 8 * i);
	}
	buf_add(b, head, n);
	for (size_t i = 0; i < size + (masked ? 4 : 0); i++)
		buf_add(b, "\x88", 1);
}

static void test_only_behind_a_whole_frame_may_another_follow(void **state)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 127, 65535, 65536, 70000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes) * 2; i++) {
		autobuf struct buf b = { 0 };
		struct ws_frames f = { 0 };

		put_frame(&b, 0x82, i & 1, sizes[i / 2]);
		assert_true(ws_frames_between(&f));
		for (size_t at = 0; at < b.size; at++) {
			ws_frames_pass(&f, b.data + at, 1);
			assert_int_equal(ws_frames_between(&f), at == b.size - 1);
		}
		ws_frames_pass(&f, b.data, b.size);
		assert_true(ws_frames_between(&f));
		assert_false(f.closed);
	}
}

static void test_a_close_is_seen_and_its_like_in_a_payload_is_not(void **state)
{
	autobuf struct buf b = { 0 };
	struct ws_frames f = { 0 };

	(void)state;
	put_frame(&b, 0x02, false, 300);
	put_frame(&b, 0x89, false, 2);
	ws_frames_pass(&f, b.data, b.size);
	assert_false(f.closed);
	buf_clear(&b);
	put_frame(&b, 0x88, false, 2);
	ws_frames_pass(&f, b.data, b.size);
	assert_true(f.closed);
}

static void test_a_length_that_none_may_have_breaks_it(void **state)
{
	static const uint8_t bad[] = { 0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0 };
	struct ws_frames f = { 0 };

	(void)state;
	ws_frames_pass(&f, bad, sizeof(bad));
	assert_false(ws_frames_between(&f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_behind_a_whole_frame_may_another_follow),
		cmocka_unit_test(test_a_close_is_seen_and_its_like_in_a_payload_is_not),
		cmocka_unit_test(test_a_length_that_none_may_have_breaks_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
