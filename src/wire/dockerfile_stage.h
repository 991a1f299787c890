/* dockerfile_stage.h - the stages of a Dockerfile, and which of them the last one needs; private
 * to the dockerfile files. */
#ifndef WIRE_DOCKERFILE_STAGE_H
#define WIRE_DOCKERFILE_STAGE_H

#include <jansson.h>

#include "wire/dockerfile_parts.h"

/* What the instructions of a stage have set so far. */
struct dockerfile_state {
	struct dockerfile_vars env;               /* every variable, as RUN sees it */
	struct dockerfile_vars args;              /* those of `env` that are not the image's */
	struct dockerfile_vars volumes, triggers; /* sets of texts */
	char *workdir, *user;                     /* NULL: not set */
	json_t *shell;                            /* an array, or NULL for the usual one */
};

struct dockerfile_stage {
	const struct dockerfile_inst *from;
	size_t end;                    /* the instruction behind its last one */
	struct buf name;               /* lower case, empty if it has none */
	struct buf image, platform;    /* variables filled in */
	struct dockerfile_stage *base; /* the stage on which it builds, or NULL: an image */
	bool needed;
	char builder[80];     /* its name in the lowered text */
	char tree[88];        /* that of the stage by which it is mounted */
	bool mounted, placed; /* such a stage is needed; the lowered text has it */
	struct dockerfile_state state;
};

struct dockerfile_stages {
	const struct dockerfile *d;
	struct dockerfile_stage *v;
	size_t n;
	struct dockerfile_vars global; /* ARG before the first FROM, and the platforms */
	uint64_t work;                 /* of all of the file (dockerfile_word.h) */
};

int dockerfile_stages_read(struct dockerfile_stages *s, const struct dockerfile *d,
			   const char *arch, struct err *e) must_check;
void dockerfile_stages_free(struct dockerfile_stages *s);

/* A stage before @end, by its name in any case or by its number; NULL: it names an image. */
struct dockerfile_stage *dockerfile_stage_find(const struct dockerfile_stages *s, const char *name,
					       size_t end);

/* Call @each with every "--from=" of COPY and "from=" of a mount.  It returns false to stop. */
bool dockerfile_refs(const struct dockerfile_inst *inst, char escape,
		     bool (*each)(void *arg, const char *name), void *arg);

/* The instruction that ONBUILD keeps, with its heredocs, as text; and that text as a Dockerfile
 * whose second instruction it is.  @line is where a failure is reported. */
void dockerfile_trigger_text(const struct dockerfile_inst *inst, struct buf *to);
struct dockerfile *dockerfile_trigger_parse(const char *text, char escape, int line, struct err *e);

/* Read the words of ARG.  A name without a value takes that before the first FROM. */
int dockerfile_arg_read(struct dockerfile_vars *vars, struct dockerfile_vars *args,
			struct dockerfile_stages *s, const struct dockerfile_inst *inst,
			char escape, struct err *e) must_check;

void dockerfile_state_copy(struct dockerfile_state *to, const struct dockerfile_state *from);
void dockerfile_state_free(struct dockerfile_state *s);

#endif
