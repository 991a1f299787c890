/* A stranger's presigned URL: the first line is the target, the others are values of the headers in
 * turn. */

#include <string.h>

#include "wire/sigv2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "content-type", "content-md5", "x-amz-acl",
					     "x-amz-acl", "x-amz-meta-a" };
	struct http_head head = { .request = true, .method = "GET" };
	struct sigv2_claim claim;
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
	if (sigv2_is(head.target) && !sigv2_read(&head, &claim, &e)) {
		(void)!sigv2_verify(&head, &claim, "secret", "", 0, &e);
		(void)!sigv2_verify(&head, &claim, "secret", "apps", claim.expires_s, &e);
	}
	return 0;
}
