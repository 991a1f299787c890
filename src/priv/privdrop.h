/* privdrop.h - turns the process for good into a user without privileges. */
#ifndef PRIV_PRIVDROP_H
#define PRIV_PRIVDROP_H

#include <sys/types.h>

#include "base/err.h"

struct privdrop {
	uid_t uid;
	gid_t gid;
	unsigned files; /* most open descriptors */
};

/* Leaves no groups and no capability in any set, and none can come back by exec. */
int privdrop_all(const struct privdrop *d, struct err *e) must_check;

/* Does the last part of that, for a user whose only privileges are in a user namespace of its own.
 */
int privdrop_rights(unsigned files, struct err *e) must_check;

/* These parts of it are right for a build too: ids without groups; no core files and at most @files
 * descriptors.
 */
int privdrop_ids(uid_t uid, gid_t gid, struct err *e) must_check;
int privdrop_limits(unsigned files, struct err *e) must_check;

#endif
