/* dockerfile_word.h - words and variables of a Dockerfile; private to the dockerfile files. */
#ifndef WIRE_DOCKERFILE_WORD_H
#define WIRE_DOCKERFILE_WORD_H

#include "base/err.h"
#include "wire/dockerfile_inst.h"

/* Find the next word of @text at or after *at, with its quotes and escapes.  *at moves to its
 * start. Returns its length, or 0 at the end. */
size_t dockerfile_word(const char *text, size_t *at, char escape);

/* ARG and ENV.  Later values win. */
struct dockerfile_vars {
	struct dockerfile_var {
		char *name, *value;
	} * v;
	size_t n;
};

void dockerfile_vars_set(struct dockerfile_vars *v, const char *name, const char *value);
const char *dockerfile_vars_get(const struct dockerfile_vars *v, const char *name); /* or NULL */
void dockerfile_vars_free(struct dockerfile_vars *v);
/* Read the arguments of one ARG or ENV instruction.  An ARG without a value takes that of @outer.
 */
void dockerfile_vars_read(struct dockerfile_vars *v, const struct dockerfile_vars *outer,
			  const struct dockerfile_inst *inst, char escape);

/* Append @text with the values of its variables.  @unquote also removes quotes and escapes, as in a
 * word; without it only variables change and an escaped '$' becomes a plain one, as in a heredoc.
 * Returns NULL, or the reason why it failed, as the end of a sentence; *to then holds the text
 * before the failure. */
const char *dockerfile_expand(const struct dockerfile_vars *v, const char *text, size_t size,
			      char escape, bool unquote, struct buf *to);

/* What a walk over the instructions has seen so far: stages and variables. */
struct dockerfile_walk {
	const struct dockerfile *d;
	struct dockerfile_vars global, stage;
	char **stages; /* names, "" where there is none */
	size_t n_stages;
};

void dockerfile_walk_begin(struct dockerfile_walk *w, const struct dockerfile *d, const char *arch);
void dockerfile_walk_end(struct dockerfile_walk *w);
/* Record what ARG, ENV or FROM changes.  Call it after the instruction was used. */
void dockerfile_walk_note(struct dockerfile_walk *w, const struct dockerfile_inst *inst);
bool dockerfile_walk_stage(const struct dockerfile_walk *w, const char *name); /* by name, number */

/* The parts of a FROM; dockerfile_from_free releases them. */
struct dockerfile_from {
	struct buf platform, image, stage;
};

int dockerfile_from_read(const struct dockerfile_walk *w, const struct dockerfile_inst *inst,
			 struct dockerfile_from *f, struct err *e) must_check;
void dockerfile_from_free(struct dockerfile_from *f);

/* Find the image that a flag of COPY, ADD or RUN names: "--from=X", or "from=X" inside
 * "--mount=...".  *at is the start of the name.  Returns its length, or 0 if there is none. */
size_t dockerfile_flag_image(const char *flag, size_t size, size_t *at);

#endif
