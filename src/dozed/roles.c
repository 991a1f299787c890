#include "dozed/roles.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#define BIT(n) (1U << (n))

/* clang-format off */
const struct role_def role_defs[ROLE_NUM] = {
	[ROLE_PRIV] = { 0 },
	[ROLE_OBJECTS] = { .user = "objects",
		.secrets = BIT(SECRET_TLS_S3) | BIT(SECRET_API_CERTIFICATES) | BIT(SECRET_CREDENTIALS), .listeners = BIT(LISTENER_S3) },
	[ROLE_IMAGE] = { .user = "image", .groups = { "control" },
		.secrets = BIT(SECRET_CA_CERT) },
	[ROLE_CONTROL] = { .user = "control", .groups = { "proxy" },
		.secrets = BIT(SECRET_TLS_API) | BIT(SECRET_API_CERTIFICATES) | BIT(SECRET_TOKEN_KEYS) | BIT(SECRET_CREDENTIALS) |
			BIT(SECRET_CA_CERT) | BIT(SECRET_CLIENT_SIGNER) | BIT(SECRET_KMS),
		.listeners = BIT(LISTENER_API) | BIT(LISTENER_METRICS) },
	[ROLE_PROXY] = { .user = "proxy",
		.secrets = BIT(SECRET_TLS_ENDPOINT) | BIT(SECRET_TOKEN_KEYS) | BIT(SECRET_TICKETS) | BIT(SECRET_CERTIFICATES) |
			BIT(SECRET_CLIENT_CA),
		.listeners = BIT(LISTENER_ENDPOINT) },
};

const enum role role_pairs[][2] = {
	{ ROLE_CONTROL, ROLE_PRIV },
	{ ROLE_IMAGE, ROLE_PRIV },
	{ ROLE_IMAGE, ROLE_OBJECTS },
	{ ROLE_CONTROL, ROLE_IMAGE },
	{ ROLE_CONTROL, ROLE_OBJECTS },
	{ ROLE_CONTROL, ROLE_PROXY },
};
/* clang-format on */
const size_t role_n_pairs = ARRAY_SIZE(role_pairs);

static int role_groups(const struct conf *conf, const struct role_def *def, gid_t own, gid_t out[3],
		       struct err *e)
{
	int n = 0;

	out[n++] = own;
	for (size_t i = 0; i < ARRAY_SIZE(def->groups) && def->groups[i]; i++) {
		char name[64];
		struct group *group;

		snprintf(name, sizeof(name), "%s-%s", conf->users_prefix, def->groups[i]);
		group = getgrnam(name);
		if (!group)
			return err_set(e, ERR_INVALID, "there is no group '%s'", name);
		out[n++] = group->gr_gid;
	}
	return n;
}

int role_drop(const struct conf *conf, enum role role, pid_t parent, struct err *e)
{
	const struct role_def *def = &role_defs[role];
	char name[64];
	struct passwd *user;
	gid_t groups[3];
	int n;

	if (def->user) {
		snprintf(name, sizeof(name), "%s-%s", conf->users_prefix, def->user);
		user = getpwnam(name);
		if (!user)
			return err_set(e, ERR_INVALID,
				       "there is no user '%s': run tools/install again", name);
		n = role_groups(conf, def, user->pw_gid, groups, e);
		if (n < 0)
			return -1;
		if (setgroups((size_t)n, groups) ||
		    setresgid(user->pw_gid, user->pw_gid, user->pw_gid) ||
		    setresuid(user->pw_uid, user->pw_uid, user->pw_uid))
			return err_sys(e, "become '%s'", name);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
			return err_sys(e, "give up new privileges");
	}
	/* This comes after the change of user, which clears the death signal. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return err_sys(e, "tie to the supervisor");
	if (getppid() != parent)
		return err_set(e, ERR_INTERNAL, "the supervisor is gone");
	return 0;
}
