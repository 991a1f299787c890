/* quota.c - what an account may have, and how often it may call. */

#include <errno.h>
#include <stdlib.h>

#include "cli/cli.h"

/* "/doze/v1/quotas/NAME?account=...": @name may be NULL. */
static char *quota_path(const struct typed *t, const char *name)
{
	const char *given = typed_option(t, "--account");
	autofree char *account = given ? client_escape(given) : NULL;
	autofree char *escaped = name ? client_escape(name) : NULL;

	return xasprintf("/doze/v1/quotas%s%s%s%s", escaped ? "/" : "", escaped ? escaped : "",
			 account ? "?account=" : "", account ? account : "");
}

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
	autofree char *path = quota_path(t, NULL);
	struct err e;
	json_t *answer = client_json(c, "GET", path, NULL, &e);

	if (!answer)
		return say(&e);
	list_print(c, json_object_get(answer, "items"), columns, ARRAY_SIZE(columns));
	json_decref(answer);
	return 0;
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
	const char *text = t->words.at[1];
	autofree char *path = quota_path(t, t->words.at[0]);
	json_t *in, *answer;
	struct err e;
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (end == text || *end || errno || value < 1)
		return say_text("a quota is a whole number from 1 on, not '%s'; 'doze quota unset' "
				"takes it back",
				text);
	in = json_pack("{s:I}", "value", (json_int_t)value);
	answer = client_json(c, "PUT", path, in, &e);
	json_decref(in);
	return answer ? quota_print(c, answer) : say(&e);
}

int cmd_quota_unset(struct client *c, const struct typed *t)
{
	autofree char *path = quota_path(t, t->words.at[0]);
	struct err e;
	json_t *answer = client_json(c, "DELETE", path, NULL, &e);

	return answer ? quota_print(c, answer) : say(&e);
}
