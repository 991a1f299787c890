/* HTTP/1.1 of a stranger, as a client or as a guest: the first byte says which, and in what pieces
 * it comes.  However it is cut, the same bodies come out. */

#include <assert.h>
#include <string.h>

#include "wire/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t run(bool requests, bool no_body, size_t step, const uint8_t *data, size_t size)
{
	struct http1 *p = http1_new(requests);
	uint64_t sum = 14695981039346656037ULL;
	size_t at = 0, have = 0;

	http1_expect_no_body(p, no_body);
	for (;;) {
		const uint8_t *body = NULL;
		size_t used, body_size = 0;
		enum http1_event ev = http1_next(p, data + at, have - at, &used, &body, &body_size);

		assert(used <= have - at);
		if (ev == HTTP1_BODY) {
			assert(body >= data + at && body + body_size <= data + at + used);
			for (size_t i = 0; i < body_size; i++)
				sum = (sum ^ body[i]) * 1099511628211ULL;
		} else if (ev == HTTP1_HEAD) {
			const struct http_head *h = http1_head(p);

			for (size_t i = 0; i < h->n_headers; i++)
				assert(!strpbrk(h->headers[i].value, "\r\n"));
			assert(!requests || (*h->host && (*h->target == '/' || *h->target == '*')));
		}
		if (ev != HTTP1_BODY && ev != HTTP1_MORE)
			sum = (sum ^ (unsigned)ev) * 1099511628211ULL;
		at += used;
		if (ev == HTTP1_BAD || ev == HTTP1_UPGRADE || (ev == HTTP1_MORE && have == size))
			break;
		if (ev == HTTP1_MORE)
			have = size - have < step ? size : have + step;
	}
	http1_finish(p);
	http1_free(p);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t whole, cut;

	if (!size)
		return 0;
	whole = run(data[0] & 1, data[0] & 2, size, data + 1, size - 1);
	cut = run(data[0] & 1, data[0] & 2, (size_t)(data[0] >> 2) + 1, data + 1, size - 1);
	assert(whole == cut);
	return 0;
}
