#include "control/api/key_use.h"

#include <string.h>

#include "control/kms/files.h"

struct kms_key *key_use_find(const struct call *c, const char *text, struct err *e)
{
	struct kms_key *key = kms_find(c->ctl, c->who->account, text, e);
	autofree char *alias = NULL;
	struct err none;

	if (key || c->op->family != FAMILY_DOZE || !strncmp(text, "arn:", 4))
		return key;
	alias = xasprintf("alias/%s", text);
	return kms_find(c->ctl, c->who->account, alias, &none);
}

bool key_use(struct call *c, struct kms_key **key)
{
	const char *text = call_text(c, "kmsKeyIdentifier");
	struct err e;

	*key = NULL;
	if (!text)
		return true;
	*key = kms_find(c->ctl, c->who->account, text, &e);
	if (!*key || kms_usable(c->ctl, *key, &e)) {
		err_wrap(&e, "kmsKeyIdentifier");
		call_fail(c, &e);
		return false;
	}
	if (!(*key)->changing)
		return true;
	call_fail_as(c, 409, "ConflictException", "The key is being changed. Try again.");
	return false;
}

bool key_use_for_image(struct call *c, struct kms_key **key)
{
	if (!key_use(c, key))
		return false;
	if (!*key || !kms_files_wanted(c->ctl) || (*key)->in_kernel)
		return true;
	call_invalid(c, "kmsKeyIdentifier cannot be used for an image: the file system of this "
			"server's data directory does not encrypt files with keys (ext4 needs the "
			"feature 'encrypt'). Its operator can allow keys that seal the environment "
			"variables alone, with [kms] files = plain.");
	return false;
}

/* One that is not there is judged by what it would be, so that a refusal does not tell. */
char *key_use_arn(const struct call *c, const char *text)
{
	const struct kms_key *key = key_use_find(c, text, &(struct err){ 0 });

	if (key)
		return kms_arn(c->ctl, key);
	if (!strncmp(text, "arn:", 4))
		return xstrdup(text);
	return xasprintf("arn:aws:kms:%s:%s:%s%s", c->ctl->conf->region, c->who->account,
			 strncmp(text, "alias/", 6) ? "key/" : "", text);
}
