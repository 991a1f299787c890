#include "conf/role.h"

#include <string.h>

#include "conf/keys.h"

void *conf_role(struct conf *c, const char *section, struct err *e)
{
	size_t size = strlen(section);

	if (!size || size > 64 ||
	    section[strspn(section, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_+=,.@-")]) {
		err_set(e, ERR_INVALID,
			"[" ROLE "%s]: a role has 1 to 64 of letters, digits and _+=,.@-", section);
		return NULL;
	}
	for (size_t i = 0; i < c->n_roles; i++)
		if (!strcmp(c->roles[i].name, section))
			return &c->roles[i];
	if (c->n_roles == CONF_ROLES) {
		err_set(e, ERR_INVALID, "[" ROLE "%s]: there are more than %d roles", section,
			CONF_ROLES);
		return NULL;
	}
	memcpy(c->roles[c->n_roles].name, section, size + 1);
	return &c->roles[c->n_roles++];
}

int conf_check_role(const struct conf_role *r, const char *name, struct err *e)
{
	if (!strcmp(r->credentials, "static") && !*r->credentials_file)
		return err_set(e, ERR_INVALID,
			       "%s: [" ROLE "%s] credentials = static needs credentials_file", name,
			       r->name);
	if (strcmp(r->credentials, "process") != 0)
		return 0;
	if (*r->credentials_process != '/' || !*r->credentials_user)
		return err_set(e, ERR_INVALID,
			       "%s: [" ROLE "%s] credentials = process needs credentials_process, "
			       "which begins with an absolute path, and credentials_user",
			       name, r->name);
	if (!strcmp(r->credentials_user, "root"))
		return err_set(e, ERR_INVALID,
			       "%s: [" ROLE "%s] credentials_user: give another user than root",
			       name, r->name);
	return 0;
}

bool conf_guests_have_api(const struct conf *c)
{
	for (size_t i = 0; i < c->n_roles; i++)
		if (!strcmp(c->roles[i].credentials, "doze"))
			return true;
	return false;
}
