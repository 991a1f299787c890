/* A stranger's Dockerfile: read and lowered; the result is read again. */

#include <stdlib.h>
#include <string.h>

#include "wire/dockerfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct dockerfile_base *base(void *arg, const char *name)
{
	static const struct dockerfile_base known = { "localhost/base:1", NULL };

	(void)arg;
	return name[strcspn(name, "!")] ? NULL : &known;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct dockerfile_lowering how = { "amd64", base, NULL };
	struct err e;
	struct dockerfile *d = dockerfile_parse((const char *)data, size, &e);
	struct dockerfile_lowered l;

	if (d && !dockerfile_lower(d, &how, &l, &e)) {
		for (size_t i = 0; i < l.n_files; i++)
			if (*l.files[i].path == '/' || strstr(l.files[i].path, ".."))
				abort();
		dockerfile_lowered_free(&l);
	}
	dockerfile_free(d);
	return 0;
}
