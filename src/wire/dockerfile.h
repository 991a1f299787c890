/* dockerfile.h - reads a Dockerfile that a stranger wrote, lists the bases that it needs, and
 * lowers it to what the installed builder understands.  Pure; fuzzed.
 *
 * The reader follows the published syntax: parser directives, the escape character, continuation
 * lines with comments between them, heredocs.  Lowering writes resolved base names and turns
 * heredocs into files of the named build context DOCKERFILE_CONTEXT.  It drops what has no meaning
 * in a microVM and says so in notes.  Instructions that need no change are copied verbatim. */
#ifndef WIRE_DOCKERFILE_H
#define WIRE_DOCKERFILE_H

#include "base/err.h"
#include "wire/dockerfile_inst.h"

#define DOCKERFILE_CONTEXT "doze-heredocs" /* --build-context DOCKERFILE_CONTEXT=<directory> */

/* Returns NULL, with a message that names the line, if the text is not a Dockerfile. */
struct dockerfile *dockerfile_parse(const char *text, size_t size, struct err *e) must_check;
void dockerfile_free(struct dockerfile *d);

/* Call @base once for each outside image that the file names in FROM, --from or --mount. */
int dockerfile_bases(const struct dockerfile *d, const char *arch,
		     void (*base)(void *arg, const char *name), void *arg,
		     struct err *e) must_check;

/* The builder's image for a base name. */
struct dockerfile_base {
	const char *image; /* as the builder knows it */
	const char *setup; /* lines to add after FROM, or NULL */
};

struct dockerfile_file {
	char *path; /* below the directory of DOCKERFILE_CONTEXT: "<sha256>" or "<sha256>/<name>" */
	struct buf data;
	bool script; /* mode 0755 */
};

struct dockerfile_lowered {
	struct buf text;
	struct buf notes; /* lines for the build log */
	struct dockerfile_file *files;
	size_t n_files;
};

struct dockerfile_lowering {
	const char *arch; /* of the host as builders name it: "amd64", "arm64" */
	/* returns NULL for an unknown name, which becomes an error that names it */
	const struct dockerfile_base *(*base)(void *arg, const char *name);
	void *arg;
};

int dockerfile_lower(const struct dockerfile *d, const struct dockerfile_lowering *how,
		     struct dockerfile_lowered *out, struct err *e) must_check;
void dockerfile_lowered_free(struct dockerfile_lowered *l);

#endif
