#include "control/api/sealed_answer.h"

#include "base/log.h"
#include "control/kms/members.h"

json_t *sealed_answer_make(const struct call *c, const char *token)
{
	const char *text = json_string_value(json_object_get(c->made, "kmsKeyIdentifier"));
	autofree char *id = xasprintf("%s/%s", c->op->name, token);
	const struct sealed_place at = { c->who->account, "token", id, "answer" };
	const struct kms_key *key;
	json_t *row;
	struct err e;

	if (!text)
		return json_incref(c->made);
	row = json_copy(c->made);
	key = kms_find(c->ctl, c->who->account, text, &e);
	if (key && !members_seal(c->ctl, key, &at, row, &e))
		return row;
	json_decref(row);
	return members_without(c->made);
}

json_t *sealed_answer_open(const struct call *c, const char *token, const json_t *answer)
{
	autofree char *id = xasprintf("%s/%s", c->op->name, token);
	const struct sealed_place at = { c->who->account, "token", id, "answer" };
	json_t *opened = json_copy((json_t *)(uintptr_t)answer);
	struct err e;

	if (members_open(c->ctl, &at, opened, &e))
		log_info("an earlier answer is given without what is secret in it: %s", e.text);
	members_tidy(opened);
	return opened;
}
