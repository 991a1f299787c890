/* The answer of a hook, cut at every place: found the same as whole. */

#include "guest/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer whole = { 0 }, pieces = { 0 };
	int rc = answer_feed(&whole, data, size), each = 0;

	for (size_t i = 0; i < size && !each; i++)
		each = answer_feed(&pieces, data + i, 1);
	assert(rc == each);
	assert(rc != 1 ||
	       (whole.status == pieces.status && whole.status >= 200 && whole.status <= 999));
	return 0;
}
