/* A stranger's .dockerignore, and a path that it is asked about. */

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "wire/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\0', size);
	size_t n = end ? (size_t)(end - data) : size;
	struct ignore *i = ignore_parse((const char *)data, n);
	char path[256] = "a/b";

	if (end && size - n - 1 < sizeof(path)) {
		memcpy(path, end + 1, size - n - 1);
		path[size - n - 1] = '\0';
	}
	if (ignore_matches(i, path) && !strcmp(path, ""))
		abort(); /* the context itself stays */
	ignore_free(i);
	return 0;
}
