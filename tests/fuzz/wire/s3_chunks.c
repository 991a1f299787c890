/* aws-chunked bodies: the first byte says in what pieces they come; the same payload comes out. */

#include <assert.h>

#include "wire/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t run(size_t step, const uint8_t *data, size_t size)
{
	struct s3_chunks c = { 0 };
	uint64_t sum = 14695981039346656037ULL, payload = 0;
	size_t at = 0, have = 0;
	char value[64];

	for (;;) {
		const uint8_t *piece = data;
		size_t used, n;
		enum s3_chunk_event ev =
			s3_chunks_next(&c, data + at, have - at, &used, &piece, &n);

		assert(used <= have - at && n <= used);
		at += used;
		for (size_t i = 0; i < n; i++)
			sum = (sum ^ piece[i]) * 1099511628211ULL;
		payload += n;
		if (ev != S3_CHUNK_DATA && ev != S3_CHUNK_MORE)
			sum = (sum ^ (unsigned)ev) * 1099511628211ULL;
		if (ev == S3_CHUNK_BAD || (ev == S3_CHUNK_MORE && have == size))
			break;
		if (ev == S3_CHUNK_MORE)
			have = size - have < step ? size : have + step;
	}
	assert(payload <= size);
	(void)s3_trailer(&c, "x-amz-checksum-crc32", value, sizeof(value));
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t whole, cut;

	if (!size)
		return 0;
	whole = run(size, data + 1, size - 1);
	cut = run((size_t)data[0] + 1, data + 1, size - 1);
	assert(whole == cut);
	return 0;
}
