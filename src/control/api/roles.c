#include "control/api/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "iam/policy.h"

#define ROLE_SESSION_S 3600

static int role_read_policy(struct iam_role *role, const char *path, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autobuf struct buf text = { 0 };
	struct policy *p;
	int rc;

	if (fd < 0)
		return err_sys(e, "open '%s'", path);
	rc = io_read_all(fd, &text, POLICY_MAX_SIZE);
	if (rc)
		return err_set(e, ERR_INVALID, "read '%s': %s", path, strerror(-rc));
	p = policy_compile((const char *)text.data, text.size, e);
	if (!p)
		return err_wrap(e, "%s", path);
	policy_free(p);
	role->policy = xstrdup(buf_str(&text));
	return 0;
}

/* "arn:aws:iam::222222222222:role/NAME" */
static int role_read_arn(struct iam_role *role, const struct conf *conf,
			 const struct conf_role *from, struct err *e)
{
	static const char prefix[] = "arn:aws:iam::";
	const char *account = role->arn + strlen(prefix);
	size_t size;

	if (*from->arn)
		snprintf(role->arn, sizeof(role->arn), "%.255s", from->arn);
	else
		snprintf(role->arn, sizeof(role->arn), "%s%s:role/%.64s", prefix, conf->account,
			 from->name);
	size = strncmp(role->arn, prefix, strlen(prefix)) ? 0 : strcspn(account, ":");
	if (!size || size >= sizeof(role->account) || strncmp(account + size, ":role/", 6) != 0)
		return err_set(e, ERR_INVALID,
			       "'%s' is no ARN of a role, as arn:aws:iam::222222222222:role/NAME",
			       role->arn);
	memcpy(role->account, account, size);
	return 0;
}

void roles_open(struct role_table *roles, const struct conf *conf)
{
	roles->each = xcalloc(conf->n_roles + 1, sizeof(*roles->each));
	for (size_t i = 0; i < conf->n_roles; i++) {
		const struct conf_role *from = &conf->roles[i];
		struct iam_role *role = &roles->each[roles->n];
		struct err e;

		role->name = from->name;
		role->trust = from->trust;
		role->conf = from;
		role->max_session_s = from->max_session_s ? from->max_session_s : ROLE_SESSION_S;
		if (role_read_arn(role, conf, from, &e) ||
		    (*from->policy && role_read_policy(role, from->policy, &e)))
			log_err("a role cannot be assumed role=%s error=\"%s\"", from->name,
				e.text);
		else
			roles->n++;
	}
}

void roles_free(struct role_table *roles)
{
	for (size_t i = 0; i < roles->n; i++)
		free(roles->each[i].policy);
	free(roles->each);
}

const struct iam_role *roles_find(const struct role_table *roles, const char *arn)
{
	for (size_t i = 0; i < roles->n; i++)
		if (!strcmp(roles->each[i].arn, arn))
			return &roles->each[i];
	return NULL;
}

/* A name is that of a user of the role's account: the name of a role's session is its own choice.
 */
static bool role_trusts_entry(const struct iam_role *role, const struct principal *who,
			      const char *entry, size_t size)
{
	bool ours = !strcmp(who->account, role->account);
	bool user = !strstr(who->arn, ":assumed-role/");

	if (size == 1 && *entry == '*')
		return ours;
	if (size == strlen(who->arn) && !memcmp(entry, who->arn, size))
		return true;
	return ours && user && size == strlen(who->name) && !memcmp(entry, who->name, size);
}

bool role_trusts(const struct iam_role *role, const struct principal *who)
{
	const char *at = role->trust + strspn(role->trust, ", \t");

	if (!*at)
		return who->root && !strcmp(who->account, role->account);
	while (*at) {
		size_t size = strcspn(at, ", \t");

		if (role_trusts_entry(role, who, at, size))
			return true;
		at += size;
		at += strspn(at, ", \t");
	}
	return false;
}
