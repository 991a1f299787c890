/* dockerfile.h - reads a Dockerfile that a stranger wrote, lists the bases that it needs, and
 * lowers it to what the installed builder understands.  Pure; fuzzed.
 *
 * The language is BuildKit's, and all of its meaning is found here: variables, stages, flags,
 * heredocs, triggers.  The builder gets instructions in which nothing is left to expand, in the
 * few forms on which builders agree, for the stages that the last one needs. */
#ifndef WIRE_DOCKERFILE_H
#define WIRE_DOCKERFILE_H

#include <jansson.h>

#include "base/err.h"
#include "wire/dockerfile_inst.h"
#include "wire/dockerfile_lowered.h"

/* Returns NULL, with a message that names the line, if the text is not a Dockerfile. */
struct dockerfile *dockerfile_parse(const char *text, size_t size, struct err *e) must_check;
void dockerfile_free(struct dockerfile *d);

/* Call @base once for each outside image that the file needs in FROM, --from or --mount. */
int dockerfile_bases(const struct dockerfile *d, const char *arch,
		     void (*base)(void *arg, const char *name), void *arg,
		     struct err *e) must_check;

/* The builder's image for a base name. */
struct dockerfile_base {
	const char *image;    /* as the builder knows it */
	const char *id;       /* changes with the image, or NULL */
	const json_t *config; /* its configuration as Docker names the members, or NULL */
};

struct dockerfile_lowering {
	const char *arch; /* of the host as builders name it: "amd64", "arm64" */
	/* returns NULL for an unknown name, which becomes an error that names it */
	const struct dockerfile_base *(*base)(void *arg, const char *name);
	/* The hash of what lies at a path of the build context, valid until the next call; "" if
	 * nothing lies there. The builder's cache does not look at what RUN mounts. */
	const char *(*content)(void *arg, const char *path);
	void *arg;
	/* Does a folder lie at that path of the build context?  NULL: nowhere. */
	bool (*folder)(void *arg, const char *path);
	/* Does a name in the build context hold a character of wildcards?  NULL: none. */
	bool (*odd_names)(void *arg);
};

int dockerfile_lower(const struct dockerfile *d, const struct dockerfile_lowering *how,
		     struct dockerfile_lowered *out, struct err *e) must_check;

#endif
