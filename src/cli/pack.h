/* pack.h - makes the zip that CreateMicrovmImage takes out of a directory. */
#ifndef CLI_PACK_H
#define CLI_PACK_H

#include "base/err.h"

/* A temporary zip of everything below @dir, already unlinked: an owned descriptor, or -1.  Links
 * and modes are kept; .git and what .dockerignore names are left out, except for the files that a
 * build reads itself.  A directory without a Dockerfile is refused here, before
 * anything is sent. */
int pack_directory(const char *dir, struct err *e) must_check;

#endif
