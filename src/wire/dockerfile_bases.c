/* dockerfile_bases.c - lists the bases of a Dockerfile.  It lowers the file with a table that knows
 * every name, so that exactly those names are asked for which lowering needs. */

#include "wire/dockerfile.h"
#include "wire/dockerfile_word.h"

struct dockerfile_seen {
	struct dockerfile_vars names; /* a set */
	void (*base)(void *arg, const char *name);
	void *arg;
};

static const struct dockerfile_base *dockerfile_see(void *arg, const char *name)
{
	static const struct dockerfile_base any = { "scratch", NULL };
	struct dockerfile_seen *seen = arg;

	if (!dockerfile_vars_get(&seen->names, name))
		seen->base(seen->arg, name);
	dockerfile_vars_set(&seen->names, name, "");
	return &any;
}

int dockerfile_bases(const struct dockerfile *d, const char *arch,
		     void (*base)(void *arg, const char *name), void *arg, struct err *e)
{
	struct dockerfile_seen seen = { .base = base, .arg = arg };
	const struct dockerfile_lowering how = { arch, dockerfile_see, &seen };
	struct dockerfile_lowered out;
	int rc = dockerfile_lower(d, &how, &out, e);

	if (!rc)
		dockerfile_lowered_free(&out);
	dockerfile_vars_free(&seen.names);
	return rc;
}
