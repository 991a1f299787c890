/* A form of a stranger, in pieces of any size, and its policy. */

#include <assert.h>
#include <string.h>

#include "wire/s3_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct s3_form *f)
{
	struct s3_form_claim claim;
	struct s3_form_range range;
	autobuf struct buf key = { 0 };
	struct err e;

	if (!s3_form_read_claim(f, &claim, &e)) {
		assert(claim.access_key[0]);
		if (!s3_form_verify(f, &claim, "secret", &e))
			assert(s3_form_field(f, "policy"));
	}
	if (s3_form_key(f, &key) && !s3_form_judge(f, "apps", buf_str(&key), 0, &range, &e))
		assert(range.most <= LIMIT_S3_OBJECT);
}

/* The first byte is the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t step = size ? *data + 1u : 1, used, n, left;
	struct s3_form f;
	const uint8_t *piece;
	bool file = false;

	if (!s3_form_begin(&f, "multipart/form-data; boundary=X"))
		return 0;
	for (size_t at = 1; at < size; at += step) {
		const uint8_t *part = data + at;
		enum s3_form_event event;

		left = size - at < step ? size - at : step;
		do {
			event = s3_form_next(&f, part, left, &used, &piece, &n);
			assert(used <= left);
			part += used;
			left -= used;
			assert(file || (event != S3_FORM_DATA && event != S3_FORM_END));
			assert(!file || event != S3_FORM_FILE);
			file = file || event == S3_FORM_FILE;
			assert(event != S3_FORM_DATA || n);
			if (event == S3_FORM_BAD)
				goto out;
		} while (event != S3_FORM_MORE);
		assert(!left);
	}
out:
	assert(f.n <= S3_FORM_FIELDS && f.text.size <= S3_FORM_SIZE + 8);
	judge(&f);
	s3_form_free(&f);
	return 0;
}
