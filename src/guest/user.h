/* user.h - looks up a Dockerfile's USER in the image's own /etc/passwd and /etc/group.  Pure.  The
 * files are a stranger's bytes, so malformed lines are skipped. */
#ifndef GUEST_USER_H
#define GUEST_USER_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define USER_GROUPS 1024 /* supplementary groups; more are left out */
#define USER_HOME   4096 /* a longer home directory is ignored */

struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_GROUPS];
	size_t n_groups;
	char home[USER_HOME];
};

/* @who is name|uid[:group|gid].  A number needs no entry (its group is then 0, its home /), but a
 * name does.  If @who has no group, the user gets its own group and all that list it.  No group is
 * listed twice, and `gid` is not listed at all. */
int user_resolve(const char *who, const struct buf *passwd, const struct buf *group, struct user *u,
		 struct err *e) must_check;

#endif
