/* account.c - accounts: who shares this server. */

#include "cli/cli.h"

#define ACCOUNTS "/doze/v1/accounts"

int cmd_account_create(struct client *c, const struct typed *t)
{
	const char *id = typed_option(t, "--id");
	json_t *in = json_pack("{s:s}", "name", t->words.at[0]), *made;
	struct err e;

	if (id)
		json_object_set_new(in, "account", json_string(id));
	made = client_json(c, "POST", ACCOUNTS, in, &e);
	json_decref(in);
	if (!made)
		return say(&e);
	if (c->json)
		json_print(made);
	else
		printf("%s  created\n", json_text(made, "account"));
	json_decref(made);
	return 0;
}

int cmd_account_ls(struct client *c, const struct typed *t)
{
	static const struct column columns[] = {
		{ "ACCOUNT", "account", NULL },
		{ "NAME", "name", NULL },
		{ "AGE", "createdAt", cell_age },
	};

	(void)t;
	return list_show(c, ACCOUNTS, columns, ARRAY_SIZE(columns));
}

int cmd_account_rm(struct client *c, const struct typed *t)
{
	autofree char *id = client_escape(t->words.at[0]);
	autofree char *path = xasprintf(ACCOUNTS "/%s", id);
	struct err e;
	json_t *answer = client_json(c, "DELETE", path, NULL, &e);

	if (!answer)
		return say(&e);
	json_decref(answer);
	printf("%s  removed\n", t->words.at[0]);
	return 0;
}

char *account_path(const struct typed *t, const char *what, const char *name, const char *tail)
{
	const char *given = typed_option(t, "--account");
	autofree char *account = given ? client_escape(given) : NULL;
	autofree char *escaped = name ? client_escape(name) : NULL;

	return xasprintf("/doze/v1/%s%s%s%s%s%s", what, escaped ? "/" : "", escaped ? escaped : "",
			 tail ? tail : "", account ? "?account=" : "", account ? account : "");
}
