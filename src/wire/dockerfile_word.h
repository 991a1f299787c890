/* dockerfile_word.h - words and variables of a Dockerfile; private to the dockerfile files. */
#ifndef WIRE_DOCKERFILE_WORD_H
#define WIRE_DOCKERFILE_WORD_H

#include "base/err.h"
#include "base/limits.h"
#include "wire/dockerfile_inst.h"

/* Find the next word of @text at or after *at, with its quotes and escapes.  *at moves to its
 * start. Returns its length, or 0 at the end. */
size_t dockerfile_word(const char *text, size_t *at, char escape);

/* Names with values, in the order in which they came.  Later values win. */
struct dockerfile_vars {
	struct dockerfile_var {
		char *name, *value;
	} * v;
	size_t n;
};

void dockerfile_vars_set(struct dockerfile_vars *v, const char *name, const char *value);
void dockerfile_vars_unset(struct dockerfile_vars *v, const char *name);
const char *dockerfile_vars_get(const struct dockerfile_vars *v, const char *name); /* or NULL */
void dockerfile_vars_copy(struct dockerfile_vars *to, const struct dockerfile_vars *from);
void dockerfile_vars_free(struct dockerfile_vars *v);

/* How a text is read. */
struct dockerfile_reading {
	uint64_t *work; /* that all texts of the Dockerfile have taken (LIMIT_DOCKERFILE_WORK) */
	char escape;
	bool quotes;    /* are removed, as escapes are, as in a word; in a heredoc they are text */
	struct buf say; /* may hold the reason of a failure; owned by the caller */
};

/* The end of a sentence. */
#define DOCKERFILE_TOO_LONG "its variables make it too long"

/* Note work.  False: there has been too much of it. */
static inline bool dockerfile_work(uint64_t *work, size_t n)
{
	*work += n;
	return *work <= LIMIT_DOCKERFILE_WORK;
}

/* Append @text with the values of its variables.  Returns NULL, or the reason why it failed, as the
 * end of a sentence, which may stand in r->say; *to then holds the text before the failure. */
const char *dockerfile_expand(const struct dockerfile_vars *v, const char *text, size_t size,
			      struct dockerfile_reading *r, struct buf *to);

/* Append a word that the builder reads back as @text, whatever stands in it. */
void dockerfile_quote(struct buf *to, const char *text);

/* Append @text as a string of JSON. */
void dockerfile_json(struct buf *to, const char *text);

/* The most similar of @n words, for a typing error, or NULL. */
const char *dockerfile_similar(const char *word, const char *const *words, size_t n);

#endif
