/* where.h - on which line of a JSON text a value stands.  jansson says so only for what it cannot
 * read. */
#ifndef IAM_WHERE_H
#define IAM_WHERE_H

#include "base/base.h"

/* A step into an object (its key) or into a list (its index). */
struct where_step {
	const char *key; /* NULL: the index */
	size_t index;
};

/* @text is JSON.  Where a step finds nothing, the line is that of the value around it. */
unsigned where_line(const char *text, const struct where_step *steps, size_t n);

#endif
