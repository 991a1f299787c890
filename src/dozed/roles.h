/* roles.h - what each role is: its user, its groups, and what it is handed. */
#ifndef DOZED_ROLES_H
#define DOZED_ROLES_H

#include <sys/types.h>

#include "conf/conf.h"
#include "ipc/super.h"

struct role_def {
	const char *user;      /* after conf.users_prefix; NULL: root */
	const char *groups[2]; /* in addition to the user's own */
	uint32_t secrets;      /* bits of enum secret */
	uint32_t listeners;    /* bits of enum listener */
};

extern const struct role_def role_defs[ROLE_NUM];

/* Which roles talk to each other. */
extern const enum role role_pairs[][2];
extern const size_t role_n_pairs;

/* Turns the process into the role's user: groups, ids, no new privileges, death with the parent. It
 * is called between fork and exec. */
int role_drop(const struct conf *conf, enum role role, pid_t parent, struct err *e) must_check;
#endif
