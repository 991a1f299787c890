/* Strings that nghttp2 would not read: what stands for them, and that nothing else changes.  Blocks
 * are read by nghttp2 itself, whose table must be the encoder's afterwards. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "wire/http2_strings.h"

enum { DATA, HEADERS, CONTINUATION = 9, END_HEADERS = 4, PADDED = 8, PRIORITY = 0x20 };

static const size_t pieces[] = { 1, 2, 8, 9, 10, 1000, 16384, 16393, 1 << 22 };

static void add_number(struct buf *b, uint8_t bits, uint8_t most, size_t value)
{
	uint8_t byte = (uint8_t)(bits | (value < most ? value : most));

	buf_add(b, &byte, 1);
	if (value < most)
		return;
	for (value -= most; value >= 128; value >>= 7) {
		byte = (uint8_t)(value | 0x80);
		buf_add(b, &byte, 1);
	}
	byte = (uint8_t)value;
	buf_add(b, &byte, 1);
}

static void add_text(struct buf *b, const char *text, size_t size, char fill)
{
	add_number(b, 0, 0x7f, size);
	if (text)
		buf_add(b, text, size);
	for (size_t i = 0; !text && i < size; i++)
		buf_add(b, &fill, 1);
}

/* A literal with a name of its own, and a value of so many bytes. */
static void add_literal(struct buf *b, uint8_t bits, const char *name, size_t size)
{
	buf_add(b, &bits, 1);
	add_text(b, name, strlen(name), 0);
	add_text(b, NULL, size, 'v');
}

static void add_frame(struct buf *b, uint8_t kind, uint8_t flags, const void *data, size_t size)
{
	const uint8_t head[9] = {
		(uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size, kind, flags, 0, 0, 0, 1
	};

	buf_add(b, head, sizeof(head));
	buf_add(b, data, size);
}

/* In frames of so many bytes; the first with padding and a priority, if @dressed. */
static void add_block(struct buf *b, const struct buf *block, size_t each, bool dressed)
{
	size_t at = 0;

	do {
		autobuf struct buf frame = { 0 };
		size_t n = block->size - at < each ? block->size - at : each;
		uint8_t flags = at + n == block->size ? END_HEADERS : 0;

		if (!at && dressed) {
			flags |= PADDED | PRIORITY;
			buf_add(&frame, "\3\0\0\0\0\1", 6);
		}
		buf_add(&frame, block->data + at, n);
		if (!at && dressed)
			buf_add(&frame, "\0\0\0", 3);
		add_frame(b, at ? CONTINUATION : HEADERS, flags, frame.data, frame.size);
		at += n;
	} while (at < block->size);
}

static void take_all(const struct buf *in, size_t piece, size_t skip, struct buf *to)
{
	struct http2_strings s;

	http2_strings_init(&s, skip);
	for (size_t at = 0; at < in->size;) {
		size_t n = in->size - at < piece ? in->size - at : piece, size;

		while (n) {
			const uint8_t *out;
			size_t taken = http2_strings_take(&s, in->data + at, n, &out, &size);

			assert_in_range(taken, 1, n);
			buf_add(to, out, size);
			n -= taken;
			at += taken;
		}
	}
	assert_null(s.frame.data);
	http2_strings_free(&s);
}

/* "name=SIZE " of each field of each block; the frames must be whole. */
static void read_back(const struct buf *b, struct buf *said)
{
	nghttp2_hd_inflater *inflater;
	size_t at = 0;

	assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
	while (at < b->size) {
		const uint8_t *f = b->data + at, *data = f + 9;
		size_t size = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2], left = size;
		bool last = f[4] & END_HEADERS;

		assert_true(at + 9 + size <= b->size);
		assert_true(size <=
			    HTTP2_FRAME_MOST); /* of a block; others are not longer either */
		at += 9 + size;
		if (f[3] != HEADERS && f[3] != CONTINUATION)
			continue;
		if (f[3] == HEADERS && f[4] & PADDED) {
			left -= 6U + data[0];
			data += 6;
		}
		for (;;) {
			nghttp2_nv nv;
			int flags = 0;
			ssize_t n = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, data, left, last);

			assert_true(n >= 0);
			data += n;
			left -= (size_t)n;
			if (flags & NGHTTP2_HD_INFLATE_EMIT)
				buf_addf(said, "%.8s=%zu ", (const char *)nv.name, nv.valuelen);
			if (flags & NGHTTP2_HD_INFLATE_FINAL)
				nghttp2_hd_inflate_end_headers(inflater);
			if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && !left)
				break;
		}
	}
	nghttp2_hd_inflate_del(inflater);
}

static void check(const struct buf *in, const char *want)
{
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		autobuf struct buf out = { 0 }, said = { 0 };

		take_all(in, pieces[i], 0, &out);
		read_back(&out, &said);
		assert_string_equal(buf_str(&said), want);
	}
}

static void test_a_string_that_is_too_long_becomes_one_that_is_read(void **state)
{
	static const uint8_t kinds[] = { 0x00, 0x10, 0x40 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		autobuf struct buf block = { 0 }, in = { 0 };

		add_literal(&block, 0x40, "x-before", 10);
		add_literal(&block, kinds[i], "x-long", 70000 + i * 300000);
		add_literal(&block, 0x00, "x-after", 5);
		add_block(&in, &block, 16000, i == 1);
		check(&in, "x-before=10 x-long=65536 x-after=5 ");
	}
}

static void test_a_name_that_is_too_long_is_shortened_too(void **state)
{
	autobuf struct buf block = { 0 }, in = { 0 };

	(void)state;
	buf_add(&block, "\0", 1);
	add_text(&block, NULL, 100000, 'n');
	add_text(&block, "v", 1, 0);
	add_literal(&block, 0x00, "x-after", 5);
	add_block(&in, &block, 16384, false);
	check(&in, "xxxxxxxx=1 x-after=5 ");
}

/* The length of the second string begins in a frame that is full, and ends in one that is. */
static void test_a_length_that_two_frames_share_makes_neither_too_long(void **state)
{
	(void)state;
	for (size_t first = HTTP2_FRAME_MOST - 40; first < HTTP2_FRAME_MOST; first++) {
		autobuf struct buf block = { 0 }, in = { 0 }, want = { 0 };

		add_literal(&block, 0x00, "x-first", first);
		add_literal(&block, 0x00, "x-second", 40000);
		add_literal(&block, 0x00, "x-after", 5);
		add_block(&in, &block, HTTP2_FRAME_MOST, false);
		buf_addf(&want, "x-first=%zu x-second=40000 x-after=5 ", first);
		check(&in, buf_str(&want));
	}
}

/* One that goes into the table empties it, and so must what stands for it. */
static void test_the_tables_stay_equal(void **state)
{
	autobuf struct buf first = { 0 }, second = { 0 }, third = { 0 }, in = { 0 };

	(void)state;
	add_literal(&first, 0x40, "x-gone", 10);
	add_literal(&first, 0x40, "x-long", 70000);
	add_literal(&first, 0x40, "x-kept", 11);
	add_block(&in, &first, 16384, false);
	add_number(&second, 0x80, 0x7f, 62); /* x-kept, the youngest */
	add_number(&second, 0x40, 0x3f, 62); /* its name, and a value of its own */
	add_text(&second, NULL, 12, 'v');
	add_block(&in, &second, 16384, false);
	add_frame(&in, DATA, 1, "abc", 3);
	add_literal(&third, 0x00, "x-long", 80000);
	add_number(&third, 0x80, 0x7f, 62);
	add_number(&third, 0x80, 0x7f, 63);
	add_block(&in, &third, 700, true);
	check(&in, "x-gone=10 x-long=65536 x-kept=11 x-kept=11 x-kept=12 x-long=65536 x-kept=12 "
		   "x-kept=11 ");
}

static void test_what_is_short_enough_passes_as_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		autobuf struct buf block = { 0 }, in = { 0 }, out = { 0 };

		buf_add(&in, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP2_PREFACE);
		add_literal(&block, 0x40, "x-most", HTTP2_STRING_MOST);
		add_number(&block, 0x20, 0x1f, 1000); /* the table's size */
		add_number(&block, 0x40, 0x3f, 62);
		add_text(&block, "", 0, 0);
		add_number(&block, 0x10, 0x0f, 62);
		add_text(&block, "\0\xff", 2, 0);
		add_block(&in, &block, 16000, true);
		add_frame(&in, DATA, 0, block.data, 16384);
		add_block(&in, &block, 99, false);
		add_frame(&in, CONTINUATION, 0, block.data, 100); /* of no block */
		add_frame(&in, HEADERS, 0, block.data, 70000);    /* too large to be legal */
		add_frame(&in, DATA, 0, "", 0);
		take_all(&in, pieces[i], HTTP2_PREFACE, &out);
		assert_int_equal(in.size, out.size);
		assert_memory_equal(in.data, out.data, in.size);
	}
}

/* Whoever reads it next says that it is wrong, so it arrives. */
static void test_what_is_no_hpack_passes_as_it_is(void **state)
{
	static const char *const blocks[] = {
		"\0\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01nonsense",
		"\x40\1a\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
	};
	static const size_t sizes[] = { 22, 12 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(blocks) * ARRAY_SIZE(pieces); i++) {
		autobuf struct buf in = { 0 }, out = { 0 };
		size_t which = i % ARRAY_SIZE(blocks);

		add_frame(&in, HEADERS, 0, blocks[which], sizes[which]);
		add_frame(&in, CONTINUATION, END_HEADERS, blocks[which], sizes[which]);
		add_frame(&in, HEADERS, PADDED, "\x09 too short", 10);
		add_frame(&in, CONTINUATION, END_HEADERS, "rest", 4);
		take_all(&in, pieces[i / ARRAY_SIZE(blocks)], 0, &out);
		assert_int_equal(in.size, out.size);
		assert_memory_equal(in.data, out.data, in.size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_string_that_is_too_long_becomes_one_that_is_read),
		cmocka_unit_test(test_a_name_that_is_too_long_is_shortened_too),
		cmocka_unit_test(test_a_length_that_two_frames_share_makes_neither_too_long),
		cmocka_unit_test(test_the_tables_stay_equal),
		cmocka_unit_test(test_what_is_short_enough_passes_as_it_is),
		cmocka_unit_test(test_what_is_no_hpack_passes_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
