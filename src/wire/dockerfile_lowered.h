/* dockerfile_lowered.h - a Dockerfile as the builder gets it, and what must lie beside it. */
#ifndef WIRE_DOCKERFILE_LOWERED_H
#define WIRE_DOCKERFILE_LOWERED_H

#include "base/buf.h"

/* Named build contexts: --build-context NAME=<directory>. */
#define DOCKERFILE_CONTEXT "doze-heredocs"
#define DOCKERFILE_FETCHED "doze-fetched"
#define DOCKERFILE_TOOLS   "doze-tools" /* the program doze-copy */
/* The build context by a name that holds a hash, so that a step is cached by what it mounts. */
#define DOCKERFILE_OWN "doze-context-"

/* Mounts that are orders to the runtime: the step has no network; and what it writes to the folder
 * whose path follows does not stay. */
#define DOCKERFILE_NO_NETWORK "/dev/doze-no-network"
#define DOCKERFILE_OWN_COPY   "/dev/doze-own-copy"

struct dockerfile_file {
	char *path; /* below the directory of DOCKERFILE_CONTEXT: "<sha256>/<name>" */
	struct buf data;
	bool script; /* mode 0755 */
};

/* What ADD wants from the network: the file @dir/@name below DOCKERFILE_FETCHED, or the directory
 * @dir/tree for a git repository and for an archive that is unpacked. */
struct dockerfile_fetch {
	char dir[65];
	char *url, *name, *ref, *subdir, *checksum; /* NULL or "" where there is none */
	bool git, keep_git_dir, unpack;
	int line;
};

/* One instruction of the lowered text, as its user knows it. */
struct dockerfile_step {
	unsigned stage;      /* of the lowered text, from 1 */
	unsigned user_stage; /* of those that are needed, from 1 */
	unsigned number, of; /* in the user's own stage, from 1; 0: the user did not write it */
	int line;
	char *text;
	char *lowered; /* how the line of the lowered text begins; NULL: not known */
};

struct dockerfile_lowered {
	struct buf text;
	struct buf notes; /* lines for the build log */
	struct dockerfile_file *files;
	struct dockerfile_fetch *fetches;
	char **own; /* names of the build context */
	struct dockerfile_step *steps;
	size_t n_files, n_fetches, n_own, n_steps;
	unsigned n_stages, n_lowered_stages;
	bool tools; /* something is run from DOCKERFILE_TOOLS */
};

void dockerfile_lowered_free(struct dockerfile_lowered *l);

#endif
