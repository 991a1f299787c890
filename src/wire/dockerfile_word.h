/* dockerfile_word.h - words and variables of a Dockerfile; for the dockerfile files alone. */
#ifndef WIRE_DOCKERFILE_WORD_H
#define WIRE_DOCKERFILE_WORD_H

#include "wire/dockerfile.h"

/* The next word of @text from *at on, quotes and escapes still in it: its length, 0 at the end.
 * *at moves to its begin. */
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
/* The arguments of one ARG or ENV instruction; an ARG without a value takes that of @outer. */
void dockerfile_vars_read(struct dockerfile_vars *v, const struct dockerfile_vars *outer,
			  const struct dockerfile_inst *inst, char escape);

/* Append @text with variables put in.  With @unquote quotes and escapes are taken away, as in a
 * word; without, only what is behind '$' changes and an escaped '$' becomes plain (a heredoc).
 * NULL, or why that cannot be done, as the end of a sentence; then *to holds what came before. */
const char *dockerfile_expand(const struct dockerfile_vars *v, const char *text, size_t size,
			      char escape, bool unquote, struct buf *to);

/* Everything that a walk over the instructions knows: stages and variables so far. */
struct dockerfile_walk {
	const struct dockerfile *d;
	struct dockerfile_vars global, stage;
	char **stages; /* names, "" where there is none */
	size_t n_stages;
};

void dockerfile_walk_begin(struct dockerfile_walk *w, const struct dockerfile *d, const char *arch);
void dockerfile_walk_end(struct dockerfile_walk *w);
/* ARG, ENV and FROM change what is known; call after the instruction was used. */
void dockerfile_walk_note(struct dockerfile_walk *w, const struct dockerfile_inst *inst);
bool dockerfile_walk_stage(const struct dockerfile_walk *w, const char *name); /* by name, number */

/* FROM taken apart; texts are the caller's to free (buf). */
struct dockerfile_from {
	struct buf platform, image, stage;
};

int dockerfile_from_read(const struct dockerfile_walk *w, const struct dockerfile_inst *inst,
			 struct dockerfile_from *f, struct err *e) must_check;
void dockerfile_from_free(struct dockerfile_from *f);

/* Where a flag of COPY, ADD or RUN names an image: "--from=X", or "from=X" inside "--mount=...".
 * The name's place in the word; size 0 if it names none. */
size_t dockerfile_flag_image(const char *flag, size_t size, size_t *at);

#endif
