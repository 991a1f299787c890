/* key.c - access keys: made, listed, rotated, removed, and explained. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "cli/cli.h"

#define KEY_POLICY_MAX (64 * KIB) /* the API allows less, and says how much */

static int key_read_policy(const char *file, struct buf *text)
{
	autoclose int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return say_text("cannot open '%s': %s", file, strerror(errno));
	if (io_read_all(fd, text, KEY_POLICY_MAX))
		return say_text("'%s' cannot be read, or is no policy: it is too large", file);
	return 0;
}

/* As the file of the AWS tools has it, so that it can be appended there. */
static int key_print(const struct client *c, json_t *made)
{
	if (c->json) {
		json_print(made);
	} else {
		printf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		       json_text(made, "name"), json_text(made, "accessKeyId"),
		       json_text(made, "secretAccessKey"));
		fflush(stdout);
		fprintf(stderr, "The secret is not shown again.\n");
	}
	json_decref(made);
	return 0;
}

int cmd_key_create(struct client *c, const struct typed *t)
{
	const char *file = typed_option(t, "--policy"), *expires = typed_option(t, "--expires");
	autofree char *path = account_path(t, "keys", NULL, NULL);
	autobuf struct buf policy = { 0 };
	json_t *in, *made;
	long seconds = 0;
	struct err e;

	if (expires && words_seconds("--expires", expires, &seconds))
		return USAGE;
	if (file && key_read_policy(file, &policy))
		return 1;
	in = json_pack("{s:s}", "name", t->words.at[0]);
	if (file)
		json_object_set_new(in, "policy", json_stringn((char *)policy.data, policy.size));
	if (expires)
		json_object_set_new(in, "expiresInSeconds", json_integer(seconds));
	made = client_json(c, "POST", path, in, &e);
	json_decref(in);
	return made ? key_print(c, made) : say(&e);
}

static char *key_cell_rights(const json_t *policy, double now_s)
{
	(void)now_s;
	return xstrdup(json_is_string(policy) ? "policy" : "all");
}

int cmd_key_ls(struct client *c, const struct typed *t)
{
	static const struct column columns[] = {
		{ "KEY", "accessKeyId", NULL },   { "NAME", "name", NULL },
		{ "STATE", "state", NULL },       { "MAY", "policy", key_cell_rights },
		{ "AGE", "createdAt", cell_age },
	};
	autofree char *keys = account_path(t, "keys", NULL, NULL);
	autofree char *path = xasprintf("%s%s", keys,
					!typed_option(t, "--sessions") ? ""
					: strchr(keys, '?')            ? "&sessions=true"
								       : "?sessions=true");

	return list_show(c, path, columns, ARRAY_SIZE(columns));
}

int cmd_key_rotate(struct client *c, const struct typed *t)
{
	const char *overlap = typed_option(t, "--overlap");
	autofree char *path = account_path(t, "keys", t->words.at[0], "/rotate");
	json_t *in = json_object(), *made;
	long seconds = 0;
	struct err e;

	if (overlap && words_seconds("--overlap", overlap, &seconds)) {
		json_decref(in);
		return USAGE;
	}
	if (overlap)
		json_object_set_new(in, "overlapSeconds", json_integer(seconds));
	made = client_json(c, "POST", path, in, &e);
	json_decref(in);
	return made ? key_print(c, made) : say(&e);
}

int cmd_key_rm(struct client *c, const struct typed *t)
{
	for (size_t i = 0; i < t->words.n; i++) {
		autofree char *path = account_path(t, "keys", t->words.at[i], NULL);
		struct err e;
		json_t *answer = client_json(c, "DELETE", path, NULL, &e);

		if (!answer)
			return say(&e);
		json_decref(answer);
		printf("%s  removed\n", t->words.at[i]);
	}
	return 0;
}

/* -1: said what is wrong. */
static int key_context(const struct typed *t, json_t *to)
{
	for (size_t i = 0; i < t->n_many; i++) {
		const char *equals = strchr(t->many[i], '=');
		autofree char *key = NULL;

		if (!equals || equals == t->many[i]) {
			say_text("--with takes KEY=VALUE, such as aws:SourceIp=10.1.2.3, not '%s'",
				 t->many[i]);
			return -1;
		}
		key = xasprintf("%.*s", (int)(equals - t->many[i]), t->many[i]);
		json_object_set_new(to, key, json_string(equals + 1));
	}
	return 0;
}

/* "allowed by statement 2 (Sid CI)" */
static void key_print_decision(const json_t *said)
{
	const char *decision = json_text(said, "decision"), *sid = json_text(said, "sid");
	const json_t *statement = json_object_get(said, "statement");

	if (!json_is_integer(statement))
		printf("%s: %s\n", decision,
		       strcmp(decision, "allowed") != 0 ? "no statement allows it"
							: "the key has no policy and may do all");
	else
		printf("%s by statement %lld%s%s%s\n", decision,
		       (long long)json_integer_value(statement), *sid ? " (" : "", sid,
		       *sid ? ")" : "");
}

/* Its status is that of the decision, for scripts. */
int cmd_key_explain(struct client *c, const struct typed *t)
{
	autofree char *path = account_path(t, "keys", t->words.at[0], "/explain");
	json_t *context = json_object(), *in, *said;
	bool allowed;
	struct err e;

	if (key_context(t, context)) {
		json_decref(context);
		return USAGE;
	}
	in = json_pack("{s:s,s:s,s:o}", "action", t->words.at[1], "resource",
		       t->words.n > 2 ? t->words.at[2] : "*", "context", context);
	said = client_json(c, "POST", path, in, &e);
	json_decref(in);
	if (!said)
		return say(&e);
	allowed = !strcmp(json_text(said, "decision"), "allowed");
	if (c->json)
		json_print(said);
	else
		key_print_decision(said);
	json_decref(said);
	return allowed ? 0 : 1;
}
