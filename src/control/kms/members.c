#include "control/kms/members.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* Among the parameters, but none that the API knows (api/encode.c). */
#define MEMBERS_SEALED "dozeSealed"
#define MEMBERS_KEY    "dozeKey"

static const char *const members_secret[] = { "environmentVariables", "runHookPayload" };

json_t *members_without(const json_t *params)
{
	json_t *rest = json_copy((json_t *)(uintptr_t)params);

	for (size_t i = 0; i < ARRAY_SIZE(members_secret); i++)
		json_object_del(rest, members_secret[i]);
	return rest;
}

int members_seal(const struct control *ctl, const struct kms_key *key,
		 const struct sealed_place *at, json_t *params, struct err *e)
{
	json_auto_t *taken = json_object();
	char *sealed = NULL, *text;

	json_object_del(params, MEMBERS_KEY);
	if (!key)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(members_secret); i++) {
		json_t *value = json_object_get(params, members_secret[i]);

		if (value)
			json_object_set(taken, members_secret[i], value);
	}
	if (kms_usable(ctl, key, e))
		return -1;
	if (json_object_size(taken)) {
		text = json_dumps(taken, JSON_COMPACT);
		sealed = kms_seal(ctl, key, at, text, strlen(text), e);
		OPENSSL_cleanse(text, strlen(text));
		free(text);
		if (!sealed)
			return -1;
		json_object_set_new(params, MEMBERS_SEALED, json_string(sealed));
		free(sealed);
	}
	for (size_t i = 0; i < ARRAY_SIZE(members_secret); i++)
		json_object_del(params, members_secret[i]);
	json_object_set_new(params, MEMBERS_KEY, json_string(key->id));
	return 0;
}

int members_open(const struct control *ctl, const struct sealed_place *at, json_t *params,
		 struct err *e)
{
	const char *sealed = json_string_value(json_object_get(params, MEMBERS_SEALED));
	autobuf struct buf text = { .secret = true };
	json_auto_t *opened = NULL;

	if (!sealed)
		return 0;
	if (kms_unseal(ctl, sealed, at, &text, e))
		return -1;
	opened = json_loadb((const char *)text.data, text.size, 0, NULL);
	if (!json_is_object(opened))
		return err_set(e, ERR_INTERNAL, "it holds no members");
	json_object_update(params, opened);
	json_object_del(params, MEMBERS_SEALED);
	return 0;
}

void members_tidy(json_t *params)
{
	json_object_del(params, MEMBERS_KEY);
	json_object_del(params, MEMBERS_SEALED);
}

void members_ask(json_t *params, const struct kms_key *key)
{
	if (key)
		json_object_set_new(params, MEMBERS_KEY, json_string(key->id));
}

struct kms_key *members_key(struct control *ctl, const json_t *params)
{
	const char *id = json_string_value(json_object_get(params, MEMBERS_KEY));

	return id && ctl->kms && uuid_valid(id) ? kms_by_id(ctl, id) : NULL;
}
