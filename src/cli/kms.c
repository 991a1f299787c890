/* kms.c - the keys that seal secrets at rest. */

#include "cli/cli.h"

#define KMS "/doze/v1/kms"

static char *kms_cell_count(const json_t *value, double now_s)
{
	(void)now_s;
	return xasprintf("%lld", (long long)json_integer_value(value));
}

static int kms_print(struct client *c, json_t *answer, const char *what)
{
	if (c->json)
		json_print(answer);
	else
		printf("%s  %s\n", json_text(answer, "alias"), what);
	json_decref(answer);
	return 0;
}

int cmd_kms_create(struct client *c, const struct typed *t)
{
	json_t *in = json_pack("{s:s}", "alias", t->words.at[0]), *made;
	struct err e;

	made = client_json(c, "POST", KMS, in, &e);
	json_decref(in);
	return made ? kms_print(c, made, "created") : say(&e);
}

int cmd_kms_ls(struct client *c, const struct typed *t)
{
	static const struct column columns[] = {
		{ "ALIAS", "alias", NULL },
		{ "KEY", "keyId", NULL },
		{ "STATE", "state", NULL },
		{ "VERSIONS", "versions", kms_cell_count },
		{ "USED BY", "users", kms_cell_count },
		{ "AGE", "createdAt", cell_age },
	};

	(void)t;
	return list_show(c, KMS, columns, ARRAY_SIZE(columns));
}

static int kms_post(struct client *c, const struct typed *t, const char *verb, const char *done)
{
	autofree char *key = client_escape(t->words.at[0]);
	autofree char *path = xasprintf(KMS "/%s/%s", key, verb);
	struct err e;
	json_t *answer = client_json(c, "POST", path, NULL, &e);

	return answer ? kms_print(c, answer, done) : say(&e);
}

int cmd_kms_rotate(struct client *c, const struct typed *t)
{
	return kms_post(c, t, "rotate", "rotated");
}

int cmd_kms_enable(struct client *c, const struct typed *t)
{
	return kms_post(c, t, "enable", "enabled");
}

int cmd_kms_disable(struct client *c, const struct typed *t)
{
	return kms_post(c, t, "disable", "disabled");
}

int cmd_kms_rm(struct client *c, const struct typed *t)
{
	autofree char *key = client_escape(t->words.at[0]);
	autofree char *path = xasprintf(KMS "/%s", key);
	struct err e;
	json_t *answer = client_json(c, "DELETE", path, NULL, &e);

	if (!answer)
		return say(&e);
	json_decref(answer);
	printf("%s  removed\n", t->words.at[0]);
	return 0;
}
