/* dockerfile_pattern.h - the patterns of "${V#p}", "${V%p}" and "${V/p/r}": '*', '?' and '\'. */
#ifndef WIRE_DOCKERFILE_PATTERN_H
#define WIRE_DOCKERFILE_PATTERN_H

#include "base/buf.h"

/* Each function appends its result to @to and returns NULL, or the reason why the pattern is
 * malformed or takes too much work, as the end of a sentence.  @work is that of
 * dockerfile_word.h. */

const char *dockerfile_pattern_trim(const char *pattern, const char *value, bool suffix,
				    bool greedy, uint64_t *work, struct buf *to);
const char *dockerfile_pattern_replace(const char *pattern, const char *value, bool all,
				       const char *with, uint64_t *work, struct buf *to);

#endif
