/* user.h - who a Dockerfile's USER is, by the image's own /etc/passwd and /etc/group.  Pure: the
 * files are a stranger's bytes, lines that make no sense are skipped. */
#ifndef GUEST_USER_H
#define GUEST_USER_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define USER_GROUPS 64   /* supplementary ones; more are left out */
#define USER_HOME   4096 /* a longer home directory is taken for none */

struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_GROUPS];
	size_t n_groups;
	char home[USER_HOME];
};

/* @who is name|uid[:group|gid].  A number needs no entry (group 0, home /); a name does.  Without
 * a group in @who, the user's own and all that list the user count. */
int user_resolve(const char *who, const struct buf *passwd, const struct buf *group, struct user *u,
		 struct err *e) must_check;

#endif
