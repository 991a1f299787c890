/* quota.c - what an account may have, and how often it may call. */

#include <stdlib.h>

#include "cli/cli.h"

#define QUOTA_MOST 1073741824 /* of any; each has its own, which the API knows */

static char *quota_cell_number(const json_t *value, double now_s)
{
	(void)now_s;
	return json_is_integer(value) ? xasprintf("%lld", (long long)json_integer_value(value))
				      : xstrdup("-");
}

static char *quota_cell_own(const json_t *value, double now_s)
{
	(void)now_s;
	return xstrdup(json_is_true(value) ? "this account" : "doze.ini");
}

int cmd_quota_ls(struct client *c, const struct typed *t)
{
	static const struct column columns[] = {
		{ "QUOTA", "name", NULL },
		{ "MOST", "value", quota_cell_number },
		{ "USED", "used", quota_cell_number },
		{ "SET BY", "own", quota_cell_own },
		{ "WHAT", "title", NULL },
	};
	autofree char *path = account_path(t, "quotas", NULL, NULL);

	return list_show(c, path, columns, ARRAY_SIZE(columns));
}

static int quota_print(struct client *c, json_t *answer)
{
	const json_t *quota = json_object_get(answer, "quota");
	autofree char *value = quota_cell_number(json_object_get(quota, "value"), 0);

	if (c->json)
		json_print(answer);
	else
		printf("%s  %s  %s\n", json_text(answer, "account"), json_text(quota, "name"),
		       value);
	json_decref(answer);
	return 0;
}

int cmd_quota_set(struct client *c, const struct typed *t)
{
	autofree char *path = account_path(t, "quotas", t->words.at[0], NULL);
	json_t *in, *answer;
	struct err e;
	long value;

	if (words_number("NUMBER", t->words.at[1], 1, QUOTA_MOST, &value))
		return USAGE;
	in = json_pack("{s:I}", "value", (json_int_t)value);
	answer = client_json(c, "PUT", path, in, &e);
	json_decref(in);
	return answer ? quota_print(c, answer) : say(&e);
}

int cmd_quota_unset(struct client *c, const struct typed *t)
{
	autofree char *path = account_path(t, "quotas", t->words.at[0], NULL);
	struct err e;
	json_t *answer = client_json(c, "DELETE", path, NULL, &e);

	return answer ? quota_print(c, answer) : say(&e);
}
