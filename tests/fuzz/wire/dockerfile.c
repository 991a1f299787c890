/* A stranger's Dockerfile: read and lowered; the result is read again. */

#include <stdlib.h>
#include <string.h>

#include "wire/dockerfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct dockerfile_base *base(void *arg, const char *name)
{
	static struct dockerfile_base known = { .image = "localhost/base:1" };

	known.config = arg;
	return name[strcspn(name, "!")] ? NULL : &known;
}

static const char *content(void *arg, const char *path)
{
	(void)arg;
	if (strstr(path, "..") && (!strncmp(path, "../", 3) || strstr(path, "/../")))
		abort();
	return "0123456789abcdef";
}

/* The paths below which something is written. */
static void check(const struct dockerfile_lowered *l)
{
	for (size_t i = 0; i < l->n_files; i++)
		if (*l->files[i].path == '/' || strstr(l->files[i].path, "../"))
			abort();
	for (size_t i = 0; i < l->n_fetches; i++) {
		const struct dockerfile_fetch *f = &l->fetches[i];

		if (f->name && (strchr(f->name, '/') || !strcmp(f->name, "..")))
			abort();
		if (f->subdir && strstr(f->subdir, "/../"))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *config = json_pack("{s:[s,s], s:[s], s:{s:{}}, s:s}", "Env", "A=1", "PATH=/bin",
				   "OnBuild", "COPY . /x", "Volumes", "/v", "WorkingDir", "/w");
	const struct dockerfile_lowering how = {
		.arch = "amd64", .base = base, .content = content, .arg = config
	};
	struct err e;
	struct dockerfile *d = dockerfile_parse((const char *)data, size, &e);
	struct dockerfile_lowered l;

	if (d && !dockerfile_lower(d, &how, &l, &e)) {
		check(&l);
		dockerfile_lowered_free(&l);
	}
	dockerfile_free(d);
	json_decref(config);
	return 0;
}
