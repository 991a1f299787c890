/* The claim of a stranger's request: the first line is the target, the others are values of the
 * headers in turn. */

#include <string.h>

#include "wire/sigv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "authorization", "x-amz-date", "host",
					     "x-amz-content-sha256", "x-amz-meta-a" };
	struct http_head head = { .request = true, .method = "GET" };
	struct sigv4_claim claim;
	struct err e;
	autobuf struct buf text = { 0 };
	char *line;

	buf_add(&text, data, size);
	line = buf_str(&text);
	head.target = line;
	for (size_t i = 0; (line = strchr(line, '\n')) && i < ARRAY_SIZE(names); i++) {
		*line++ = '\0';
		if (*line != '\n')
			head.headers[head.n_headers++] = (struct http_header){ names[i], line };
	}
	if (!sigv4_read(&head, &claim, &e)) {
		char hash[65];

		sha256_hex(data, size, hash);
		(void)!sigv4_verify(&head, &claim, "secret", hash, true, claim.at_ms, &e);
		(void)!sigv4_verify(&head, &claim, "secret", NULL, false, claim.at_ms, &e);
	}
	return 0;
}
