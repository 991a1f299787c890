/* A stranger's frames of HTTP/2 in front of nghttp2 (wire/http2_strings.h): what is read in their
 * place does not depend on how they arrive, and is hardly more than what came.
 *
 * The first byte says in which pieces, the rest are the stranger's. */

#include <string.h>

#include "wire/http2_strings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_all(const uint8_t *data, size_t size, size_t piece, struct buf *to)
{
	struct http2_strings s;

	http2_strings_init(&s, 0);
	for (size_t at = 0; at < size;) {
		size_t n = size - at < piece ? size - at : piece, out_size;

		while (n) {
			const uint8_t *out;
			size_t taken = http2_strings_take(&s, data + at, n, &out, &out_size);

			assert(taken && taken <= n);
			buf_add(to, out, out_size);
			n -= taken;
			at += taken;
		}
		assert(s.frame.size <= HTTP2_FRAME_MOST);
	}
	http2_strings_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autobuf struct buf whole = { 0 }, pieces = { 0 };

	if (!size)
		return 0;
	take_all(data + 1, size - 1, SIZE_MAX, &whole);
	take_all(data + 1, size - 1, (size_t)data[0] * 64 + 1, &pieces);
	assert(whole.size == pieces.size && whole.size <= size);
	assert(!whole.size || !memcmp(whole.data, pieces.data, whole.size));
	return 0;
}
