/* copy.h - doze-copy: COPY with --parents, --exclude, a symbolic --chmod or wildcards that must
 * match names with wildcards, run inside a stage.
 *
 * It is static, so that it runs in an image that has nothing else, and it is root there. The
 * sources lie below COPY_SOURCE; they and the names of files are a stranger's. */
#ifndef IMAGE_COPY_H
#define IMAGE_COPY_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"
#include "wire/ignore.h"

#define COPY_SOURCE "/dev/doze-source"
#define COPY_KEEP   UINT32_MAX /* an owner that stays as it is */

struct copy {
	const char *chmod; /* NULL: modes stay */
	uid_t uid;         /* COPY_KEEP: of the source */
	gid_t gid;
	struct ignore *exclude; /* NULL: nothing */
	bool parents;
	bool look; /* only see whether it would replace something by a folder */
	const char *target;
};

/* "0644", "u+x,go-w", "a=rX".  @mode is the whole st_mode of the file. */
bool copy_mode_valid(const char *text);
mode_t copy_mode(const char *text, mode_t mode);

/* "user", "1000", "user:group" by the files of this root. */
int copy_owner(struct copy *c, const char *text, struct err *e) must_check;

/* Copy the extended attributes, after the owner, since a change of that takes capabilities away. */
int copy_attributes(int from, const char *to, struct err *e) must_check;
/* Make @to another name of the copy of this file, if it has one that was remembered. */
bool copy_link_again(const struct stat *st, const char *to);
void copy_remember(const struct stat *st, const char *to);

/* Copy what @source names below COPY_SOURCE; it may hold wildcards. */
int copy_source(const struct copy *c, const char *source, struct err *e) must_check;

#endif
