/* ignore.h - reads a .dockerignore, and tells which paths of a build context it leaves out.
 *
 * Rules are tried in their order and the last one that matches counts; "!" takes a path in again. A
 * rule that matches a folder matches everything below it.  Pure; fuzzed. */
#ifndef WIRE_IGNORE_H
#define WIRE_IGNORE_H

#include "base/base.h"

struct ignore;

struct ignore *ignore_parse(const char *text, size_t size);
void ignore_free(struct ignore *i);

/* @path is relative, without "." and "..", and has no '/' at its end. */
bool ignore_matches(struct ignore *i, const char *path);
/* There were too many rules, or they have taken too much work (LIMIT_IGNORE_WORK).  What they left
 * out since is not known. */
#define IGNORE_GAVE_UP "the .dockerignore has too many rules, or they take too long"
bool ignore_gave_up(const struct ignore *i);
/* Something below a folder that is left out may be taken in. */
bool ignore_takes_in(const struct ignore *i);

#endif
