/* dockerfile_copy.h - COPY and ADD while they are lowered; private to the dockerfile files. */
#ifndef WIRE_DOCKERFILE_COPY_H
#define WIRE_DOCKERFILE_COPY_H

#include "wire/dockerfile_job.h"

struct dockerfile_copy {
	struct dockerfile_job *job;
	struct dockerfile_parts parts;
	char *from, *chown, *chmod, *checksum; /* NULL: not given; variables filled in */
	json_t *exclude;                       /* an array */
	bool parents, keep_git_dir, unpack, unpack_set;
	json_t *sources;   /* texts, variables filled in; heredocs are not among them */
	struct buf target; /* absolute */
	bool many;         /* more than one source */
};

/* Is this source of ADD fetched from the network? */
bool dockerfile_is_git(const char *source);
bool dockerfile_is_url(const char *source);
/* Plan to fetch it, and append the words that stand for it below DOCKERFILE_FETCHED. */
int dockerfile_fetch(struct dockerfile_copy *c, const char *source, struct buf *to) must_check;

/* Make the heredoc a file of DOCKERFILE_CONTEXT.  Returns its path there, or NULL and the error. */
const char *dockerfile_copy_document(struct dockerfile_copy *c, const struct dockerfile_heredoc *h);

/* Copy what no flag of the builder can say: --parents, --exclude, a symbolic --chmod, and
 * wildcards for names that hold some themselves, because the builder reads a match as a pattern. */
bool dockerfile_copy_is_special(const struct dockerfile_copy *c);
int dockerfile_copy_special(struct dockerfile_copy *c) must_check;

/* The builder replaces a link by a folder of the same name without a word, and an image without its
 * /bin is of no use.  Have the step fail before that, as BuildKit's does, where images have links
 * to folders. */
int dockerfile_copy_look(struct dockerfile_copy *c) must_check;

#endif
