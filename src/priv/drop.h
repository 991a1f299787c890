/* drop.h - become a user without privileges, for good. */
#ifndef PRIV_DROP_H
#define PRIV_DROP_H

#include <sys/types.h>

#include "base/err.h"

struct drop {
	uid_t uid;
	gid_t gid;
	unsigned files; /* most open descriptors */
};

/* No groups, no capability in any set, none to come back by exec. */
int drop_all(const struct drop *d, struct err *e) must_check;

/* Its last part, for a user that has none left but in a user namespace of its own. */
int drop_rights(unsigned files, struct err *e) must_check;

/* Parts of it that are also right for a build: no groups, ids; no core, at most @files descriptors.
 */
int drop_ids(uid_t uid, gid_t gid, struct err *e) must_check;
int drop_limits(unsigned files, struct err *e) must_check;

#endif
