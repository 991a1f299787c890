/* dockerfile_pattern.h - the patterns of "${V#p}", "${V%p}" and "${V/p/r}": '*', '?' and '\'. */
#ifndef WIRE_DOCKERFILE_PATTERN_H
#define WIRE_DOCKERFILE_PATTERN_H

#include "base/buf.h"

/* Each function appends its result to @to and returns NULL, or the reason why the pattern is
 * malformed, as the end of a sentence. */

const char *dockerfile_pattern_trim(const char *pattern, const char *value, bool suffix,
				    bool greedy, struct buf *to);
const char *dockerfile_pattern_replace(const char *pattern, const char *value, bool all,
				       const char *with, struct buf *to);

#endif
