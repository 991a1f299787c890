/* backup_files.h - the files of a backup: how each gets from one tree into another, and what the
 * manifest says of it.
 *
 * The manifest has an entry for each path: mode, owner and group by name, and of a file its size
 * and a sum.  The sum is of the blocks that hold anything but zeros, so holes may come and go. */
#ifndef CLI_BACKUP_FILES_H
#define CLI_BACKUP_FILES_H

#include <jansson.h>

#include "base/err.h"

#define BACKUP_MANIFEST "manifest.json"
#define BACKUP_ROWS     "rows"

enum files_how { FILES_SHARE /* by clone or hard link where that works */, FILES_COPY };

/* @path of @from to the same path of @to, whose folders are there.  -ENOENT: it is not in @from;
 * else 0, or -1 and *e. */
int files_take(int from, int to, const char *path, enum files_how how, struct err *e) must_check;
/* What @path of @dir is; owned by the caller.  NULL: *e says why. */
json_t *files_entry(int dir, const char *path, struct err *e);
/* It is what its entry says. */
int files_check(int dir, const char *path, const json_t *entry, struct err *e) must_check;
/* Mode and owner as the entry says. */
int files_own(int dir, const char *path, const json_t *entry, struct err *e) must_check;
/* The sum of all entries, for the manifest itself; owned by the caller. */
char *files_sum_of(const json_t *entries);

#endif
