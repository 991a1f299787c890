/* dockerfile_inst.h - a Dockerfile as its instructions, before anything in them has a meaning.
 *
 * dockerfile.c makes them, and they do not change afterwards. */
#ifndef WIRE_DOCKERFILE_INST_H
#define WIRE_DOCKERFILE_INST_H

#include "base/buf.h"

#define DOCKERFILE_WORD     16   /* of an instruction's name */
#define DOCKERFILE_HEREDOCS 16   /* of one instruction */
#define DOCKERFILE_MAX      4096 /* instructions, stages, heredocs */

struct dockerfile_heredoc {
	char *name;
	struct buf body; /* the lines as they stand, with their newlines */
	bool quoted;     /* the name was quoted: nothing is expanded */
	bool strip;      /* "<<-": leading tabs do not count */
	size_t at, size; /* where "<<NAME" stands in args */
};

struct dockerfile_inst {
	int line;                   /* where it begins, from 1 */
	char word[DOCKERFILE_WORD]; /* upper case */
	struct buf text;            /* as written, heredocs left out */
	struct buf args;            /* continuation lines joined, without the word */
	struct dockerfile_heredoc *heredocs;
	size_t n_heredocs;
};

struct dockerfile {
	char escape;
	struct dockerfile_inst *inst;
	size_t n;
};

/* Turn a word into upper case.  Returns false if no instruction has this name. */
bool dockerfile_upper(char *word);

#endif
