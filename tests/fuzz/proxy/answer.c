/* Whatever a hostile guest answers: its head crosses the proxy cleaned, or not at all; and what a
 * hostile machine answers to CONNECT. */

#include <stdlib.h>
#include <string.h>

#include "net/dial.h"
#include "net/port_probe.h"
#include "proxy/header_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http1 *p = http1_new(false);
	autobuf struct buf out = { 0 };
	const uint8_t *body;
	size_t used, body_size, ids = 0;
	struct filtered_headers f;

	if (dial_answer((const char *)data, size) == 1)
		assert(size >= 3 && !memcmp(data, "OK\n", 3));
	assert(dial_refusal((const char *)data, size) != DIAL_OPEN);
	assert(port_probe_status((const char *)data, size) < 1000);
	if (http1_next(p, data, size, &used, &body, &body_size) == HTTP1_HEAD) {
		header_filter_to_client(http1_head(p), "id", true, &f);
		for (size_t i = 0; i < f.n; i++) {
			assert(strncmp(f.at[i].name, "x-aws-proxy-", 12) != 0);
			assert(http1_put_header(&out, f.at[i].name, f.at[i].value));
			ids += !strcmp(f.at[i].name, "x-amzn-requestid");
		}
		assert(ids == 1);
	}
	http1_free(p);
	return 0;
}
