/* pack.h - a directory as the zip that CreateMicrovmImage takes. */
#ifndef CLI_PACK_H
#define CLI_PACK_H

#include "base/err.h"

/* A temporary zip of all below @dir (links and modes kept, .git left out), already unlinked: an
 * owned descriptor, or -1.  A missing Dockerfile is said before anything is sent. */
int pack_directory(const char *dir, struct err *e) must_check;

#endif
