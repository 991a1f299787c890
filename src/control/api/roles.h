/* roles.h - the roles of the configuration: what a session of each may do, and who may begin one.
 */
#ifndef CONTROL_API_ROLES_H
#define CONTROL_API_ROLES_H

#include "control/control.h"

struct iam_role {
	char arn[256], account[ACCOUNT_SIZE];
	const char *name;             /* borrowed from the configuration */
	const char *trust;            /* likewise */
	const struct conf_role *conf; /* likewise: where its microVMs have credentials from */
	char *policy;                 /* JSON; NULL: all.  Owned */
	int64_t max_session_s;
};

struct role_table {
	struct iam_role *each; /* owned */
	size_t n;
};

/* Reads the policies.  A role whose policy cannot be had is left out, and the log says why. */
void roles_open(struct role_table *roles, const struct conf *conf);
void roles_free(struct role_table *roles);
const struct iam_role *roles_find(const struct role_table *roles, const char *arn); /* NULL: none */
/* Does it let this key in? */
bool role_trusts(const struct iam_role *role, const struct principal *who);

#endif
