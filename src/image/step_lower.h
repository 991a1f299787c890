/* step_lower.h - what `build` puts beside a lowered Dockerfile before the builder reads it.
 *
 * All of it works below the build's own directory (descriptor 3), whose contents a stranger wrote:
 * paths are opened below it, and no link is followed. */
#ifndef IMAGE_STEP_LOWER_H
#define IMAGE_STEP_LOWER_H

#include "image/step.h"
#include "wire/dockerfile.h"

/* Files and the hash of the build context (step_context.c). */
int context_ignore(struct step *s, struct err *e) must_check; /* removes what .dockerignore names */
/* The hash of what lies at @path of the context, or "" if nothing does.  Valid until the next. */
const char *context_hash(const char *path);
bool context_is_folder(const char *path);
bool context_has_odd_names(void); /* a file's name holds a character of wildcards */
int context_write(const struct dockerfile_lowered *l, struct err *e) must_check; /* heredocs */

/* What ADD takes from the network (step_get.c). */
int get_all(struct step *s, const struct dockerfile_lowered *l, struct err *e) must_check;

/* An image as a base (step_inspect.c): its configuration, which the caller owns, and its id.
 * *image may become another one, without what the builder would do with it by itself. */
int inspect_base(struct step *s, char **image, char **id, json_t **config,
		 struct err *e) must_check;

/* Run the builder (step_say.c): its lines name the user's steps, and a failure is a sentence.
 * Returns its exit status or -1. */
struct say {
	const struct dockerfile_lowered *lowered;
	const struct dockerfile_step *step; /* that came last */
	unsigned *came;                     /* steps of each stage, from 1, that came; owned */
	struct buf error;                   /* the builder's last words, as it seems; owned */
	bool ending;                        /* they are why it ends */
	int64_t ended_ms;                   /* when they came */
	char runtime[512];                  /* why a step did not even start */
	char copier[512];                   /* what doze-copy said last */
	bool full;                          /* a line reported a full disk */
};

void say_free(struct say *say);
int say_run(struct say *say, struct step_argv *a, struct err *e) must_check;
/* "Dockerfile:7: step 3/5 failed: RUN x: exit status 1" */
void say_failure(struct say *say, struct buf *to);

#endif
