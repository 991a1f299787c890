/* dockerfile_parts.h - takes an instruction apart before any of it is rewritten. */
#ifndef WIRE_DOCKERFILE_PARTS_H
#define WIRE_DOCKERFILE_PARTS_H

#include "wire/dockerfile_word.h"

struct dockerfile_part {
	const char *text; /* as written, quotes and escapes still in it; `size` bytes */
	size_t size;
	const struct dockerfile_heredoc *heredoc; /* that the word begins, or NULL */
};

struct dockerfile_parts {
	const struct dockerfile_inst *inst; /* borrowed */
	struct buf args;                    /* into which all texts below point */
	struct dockerfile_part *flags;      /* the words that begin with "--", before any other */
	struct dockerfile_part
		*words; /* the words after the flags: sources, then the destination */
	size_t n_flags, n_words;
	const char *rest; /* the same words as one text: the command of a RUN */
};

void dockerfile_parts_read(struct dockerfile_parts *p, const struct dockerfile_inst *inst,
			   char escape);
void dockerfile_parts_free(struct dockerfile_parts *p);

/* "--name" or "--name=..." */
bool dockerfile_flag_is(const struct dockerfile_part *flag, const char *name);
/* What stands behind "--name=", without quotes.  A flag without '=' gives "". */
void dockerfile_flag_value(const struct dockerfile_part *flag, struct buf *to);

/* Append @text without its quotes; variables stay. */
void dockerfile_unquote(const char *text, size_t size, struct buf *to);

#endif
