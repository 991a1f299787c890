/* names.c - the spellings of a key: its id, alias/NAME, or the ARN of either (contract: kms.h). */

#include <stdlib.h>
#include <string.h>

#include "control/kms/kms.h"
#include "control/kms/master.h"

char *kms_arn(const struct control *ctl, const struct kms_key *key)
{
	return xasprintf("arn:aws:kms:%s:%s:key/%s", ctl->conf->region,
			 *key->account ? key->account : ctl->conf->account, key->id);
}

static struct kms_key *kms_find_name(const struct control *ctl, const char *account,
				     const char *alias)
{
	autofree char *name = xasprintf("%s %s", account, alias);

	return hash_find(&ctl->kms->by_name, name, strlen(name), struct kms_key, by_name);
}

size_t kms_count(const struct control *ctl, const char *account)
{
	size_t n = 0;

	hash_each(key, &ctl->kms->by_name, struct kms_key, by_name) n +=
		!strcmp(key->account, account);
	return n;
}

static struct kms_key *kms_find_id(const struct control *ctl, const char *account, const char *id)
{
	struct kms_key *key = hash_find(&ctl->kms->by_id, id, strlen(id), struct kms_key, by_id);

	return key && key->alias && !strcmp(key->account, account) ? key : NULL;
}

/* "key/ID" or "alias/NAME" behind the region and the account of an ARN.  NULL: they are others. */
static const char *kms_of_arn(const struct control *ctl, const char *account, const char *text,
			      struct err *e)
{
	static const char *const what[] = { "region", "account" };
	const char *const own[] = { ctl->conf->region, account };
	const char *at = text;

	for (int i = 0; i < 3 && at; i++) { /* arn:<partition>:kms: */
		at = strchr(at, ':');
		at = at ? at + 1 : NULL;
	}
	for (size_t i = 0; i < 2 && at; i++) {
		size_t n = strcspn(at, ":");

		if (n != strlen(own[i]) || memcmp(at, own[i], n) != 0) {
			err_set(e, ERR_INVALID,
				"The key %s is of another %s. Keys of %s %s can be used here.",
				text, what[i], what[i], own[i]);
			return NULL;
		}
		at = at[n] ? at + n + 1 : NULL;
	}
	if (!at)
		err_set(e, ERR_INVALID, "The key %s has no ARN of a key.", text);
	return at;
}

struct kms_key *kms_find(const struct control *ctl, const char *account, const char *text,
			 struct err *e)
{
	const char *name = text;
	struct kms_key *key;

	if (!strncmp(text, "arn:", 4)) {
		name = kms_of_arn(ctl, account, text, e);
		if (!name)
			return NULL;
		name += strncmp(name, "key/", 4) ? 0 : 4;
	}
	key = strncmp(name, "alias/", 6) ? kms_find_id(ctl, account, name)
					 : kms_find_name(ctl, account, name);
	if (!key)
		err_set(e, ERR_INVALID,
			"There is no key %s in this account and region. 'doze kms ls' lists the "
			"keys.",
			text);
	return key;
}
