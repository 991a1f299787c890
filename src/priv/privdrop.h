/* privdrop.h - become a user without privileges, for good. */
#ifndef PRIV_PRIVDROP_H
#define PRIV_PRIVDROP_H

#include <sys/types.h>

#include "base/err.h"

struct privdrop {
	uid_t uid;
	gid_t gid;
	unsigned files; /* most open descriptors */
};

/* No groups, no capability in any set, none to come back by exec. */
int privdrop_all(const struct privdrop *d, struct err *e) must_check;

/* Its last part, for a user that has none left but in a user namespace of its own. */
int privdrop_rights(unsigned files, struct err *e) must_check;

/* Parts of it that are also right for a build: no groups, ids; no core, at most @files descriptors.
 */
int privdrop_ids(uid_t uid, gid_t gid, struct err *e) must_check;
int privdrop_limits(unsigned files, struct err *e) must_check;

#endif
