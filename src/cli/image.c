/* image.c - the commands that begin with "image". */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/builds.h"
#include "cli/cli.h"
#include "cli/pack.h"

#define BUCKET "doze-cli" /* where `image build` puts its zips */

struct build_options {
	const char *name, *memory, *env, *hooks_port, *hooks;
	bool all_caps, verbose;
};

static const char *const hook_options[][3] = {
	{ "ready", "microvmImageHooks", "ready" }, { "validate", "microvmImageHooks", "validate" },
	{ "run", "microvmHooks", "run" },          { "resume", "microvmHooks", "resume" },
	{ "suspend", "microvmHooks", "suspend" },  { "terminate", "microvmHooks", "terminate" },
};

/* Adds what "--hooks ready,run" asks for. */
static int build_hooks(json_t *in, const struct build_options *o)
{
	autofree char *list = xstrdup(o->hooks);
	json_t *hooks;
	char *save = NULL;
	long port;

	if (words_number("--hooks-port", o->hooks_port ? o->hooks_port : "9000", 1, 65535, &port))
		return -1;
	hooks = json_pack("{sI s{} s{}}", "port", (json_int_t)port, "microvmHooks",
			  "microvmImageHooks");
	json_object_set_new(in, "hooks", hooks);
	for (char *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		size_t i = 0;

		while (i < ARRAY_SIZE(hook_options) && strcmp(hook_options[i][0], word) != 0)
			i++;
		if (i == ARRAY_SIZE(hook_options)) {
			say_text("there is no hook '%s': give some of ready, validate, run, "
				 "resume, suspend, terminate",
				 word);
			return -1;
		}
		json_object_set_new(json_object_get(hooks, hook_options[i][1]), hook_options[i][2],
				    json_string("ENABLED"));
	}
	return 0;
}

static json_t *build_request(struct client *c, const struct build_options *o, const char *key)
{
	autofree char *uri = xasprintf("s3://" BUCKET "/%s", key);
	autofree char *base =
		xasprintf("arn:aws:lambda:%s:aws:microvm-image:al2023-1", c->conf.region);
	autofree char *role = xasprintf("arn:aws:iam::%s:role/build", c->conf.account);
	json_t *in = json_pack("{s{ss} ss ss}", "codeArtifact", "uri", uri, "baseImageArn", base,
			       "buildRoleArn", role);
	long memory = 0;

	if (o->memory && words_number("--memory", o->memory, 512, 8192, &memory)) {
		json_decref(in);
		return NULL;
	}
	if (o->memory)
		json_object_set_new(in, "resources",
				    json_pack("[{sI}]", "minimumMemoryInMiB", (json_int_t)memory));
	if (o->all_caps)
		json_object_set_new(in, "additionalOsCapabilities", json_pack("[s]", "ALL"));
	if (o->env) { /* KEY=value */
		const char *equals = strchr(o->env, '=');

		if (!equals) {
			say_text("--env takes KEY=VALUE, not '%s'", o->env);
			json_decref(in);
			return NULL;
		}
		json_object_set_new(in, "environmentVariables",
				    json_pack("{s%s}", o->env, (int)(equals - o->env), equals + 1));
	}
	if (o->hooks && build_hooks(in, o)) {
		json_decref(in);
		return NULL;
	}
	return in;
}

/* Creates the image, or its next version if it exists. */
static int build_submit(struct client *c, const struct build_options *o, json_t *in)
{
	autofree char *arn = xasprintf("arn:aws:lambda:%s:%s:microvm-image:%s", c->conf.region,
				       c->conf.account, o->name);
	autofree char *escaped = client_escape(arn);
	autofree char *path = xasprintf(IMAGES "/%s", escaped);
	struct err e;
	json_t *have = client_json(c, "GET", path, NULL, &e), *made;
	int rc;

	if (!have && e.kind != ERR_NOT_FOUND)
		return say(&e);
	if (!have)
		json_object_set_new(in, "name", json_string(o->name));
	made = client_json(c, have ? "PUT" : "POST", have ? path : IMAGES, in, &e);
	json_decref(have);
	if (!made)
		return say(&e);
	rc = build_follow(c, arn, json_text(made, "imageVersion"), o->verbose);
	json_decref(made);
	return rc;
}

int cmd_image_build(struct client *c, const struct typed *t)
{
	const struct build_options o = {
		.name = typed_option(t, "--name"),
		.memory = typed_option(t, "--memory"),
		.env = typed_option(t, "--env"),
		.hooks = typed_option(t, "--hooks"),
		.hooks_port = typed_option(t, "--hooks-port"),
		.all_caps = typed_option(t, "--all-capabilities"),
		.verbose = typed_option(t, "--verbose"),
	};
	autofree char *key = NULL;
	autoclose int zip = -1;
	json_t *in;
	struct err e;
	int rc;

	if (!name_image_valid(o.name)) {
		say_text("'%s' cannot be the name of an image: give up to 64 letters, digits, '-' "
			 "and '_'",
			 o.name);
		return USAGE;
	}
	key = xasprintf("%s-%lld.zip", o.name, (long long)clock_wall_ms());
	in = build_request(c, &o, key);
	if (!in)
		return 1;
	zip = pack_directory(t->words.at[0], &e);
	if (zip < 0) {
		json_decref(in);
		return say(&e);
	}
	rc = client_put_object(c, BUCKET, key, zip, &e) ? say(&e) : build_submit(c, &o, in);
	json_decref(in);
	return rc;
}

int cmd_image_rebuild(struct client *c, const struct typed *t)
{
	struct err e;
	autofree char *arn = name_image(c, t->words.at[0], &e);
	autofree char *escaped = arn ? client_escape(arn) : NULL;
	autofree char *path = arn ? xasprintf("/doze/v1/images/%s/rebuild", escaped) : NULL;
	json_t *in, *made;
	int rc;

	if (!arn)
		return say(&e);
	in = json_pack("{s:s*}", "imageVersion", typed_option(t, "--version"));
	made = client_json(c, "POST", path, in, &e);
	json_decref(in);
	if (!made)
		return say(&e);
	rc = build_follow(c, arn, json_text(made, "imageVersion"), typed_option(t, "--verbose"));
	json_decref(made);
	return rc;
}

int cmd_image_ls(struct client *c, const struct typed *t)
{
	static const struct column columns[] = {
		{ "IMAGE", "name", NULL },
		{ "STATE", "state", NULL },
		{ "ACTIVE", "latestActiveImageVersion", NULL },
		{ "FAILED", "latestFailedImageVersion", NULL },
		{ "AGE", "createdAt", cell_age },
	};
	struct err e;
	json_t *items = client_list(c, IMAGES, &e);

	(void)t;
	if (!items)
		return say(&e);
	list_print(c, items, columns, ARRAY_SIZE(columns));
	json_decref(items);
	return 0;
}

int cmd_image_rm(struct client *c, const struct typed *t)
{
	int rc = 0;

	for (size_t i = 0; i < t->words.n; i++) {
		struct err e;
		autofree char *arn = name_image(c, t->words.at[i], &e);
		autofree char *escaped = arn ? client_escape(arn) : NULL;
		autofree char *path = arn ? xasprintf(IMAGES "/%s", escaped) : NULL;
		json_t *done = arn ? client_json(c, "DELETE", path, NULL, &e) : NULL;

		if (done)
			printf("%s  %s\n", arn, json_text(done, "state"));
		else
			rc = say(&e);
		json_decref(done);
	}
	return rc;
}
