/* dockerfile_bases.c - lists the images that a Dockerfile needs, each once.
 *
 * It looks at the stages alone. What only the configuration of a base would tell, such as its
 * triggers, is not known yet. */

#include <string.h>

#include "wire/dockerfile.h"
#include "wire/dockerfile_stage.h"

struct dockerfile_seen {
	struct dockerfile_stages stages;
	size_t stage;                 /* that is looked at */
	struct dockerfile_vars names; /* a set */
	void (*base)(void *arg, const char *name);
	void *arg;
};

static bool dockerfile_see(void *arg, const char *name)
{
	struct dockerfile_seen *seen = arg;

	if (!strcmp(name, "scratch") || !name[strspn(name, "0123456789")] || strchr(name, '$') ||
	    dockerfile_stage_find(&seen->stages, name, seen->stage) ||
	    dockerfile_vars_get(&seen->names, name))
		return true;
	dockerfile_vars_set(&seen->names, name, "");
	seen->base(seen->arg, name);
	return true;
}

int dockerfile_bases(const struct dockerfile *d, const char *arch,
		     void (*base)(void *arg, const char *name), void *arg, struct err *e)
{
	struct dockerfile_seen seen = { .base = base, .arg = arg };

	if (dockerfile_stages_read(&seen.stages, d, arch, e))
		return -1;
	for (; seen.stage < seen.stages.n; seen.stage++) {
		struct dockerfile_stage *stage = &seen.stages.v[seen.stage];
		size_t first = (size_t)(stage->from - d->inst) + 1;

		if (!stage->needed)
			continue;
		if (!stage->base)
			dockerfile_see(&seen, buf_str(&stage->image));
		for (size_t i = first; i < stage->end; i++)
			dockerfile_refs(&d->inst[i], d->escape, dockerfile_see, &seen);
	}
	dockerfile_vars_free(&seen.names);
	dockerfile_stages_free(&seen.stages);
	return 0;
}
