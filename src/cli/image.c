/* image.c - the commands that begin with "image". */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/pack.h"
#include "cli/suggest.h"

#define IMAGES   "/2025-09-09/microvm-images"
#define BUCKET   "doze-cli" /* where `image build` puts its zips */
#define POLL_US  250000
#define BUILD_MS (2 * 3600 * 1000)

struct build_options {
	const char *name, *memory, *env, *hooks_port, *hooks;
	bool all_caps;
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

/* Prints what is new in the log, and returns how many bytes that was. */
static size_t build_log_more(struct client *c, const char *build, size_t from)
{
	autofree char *path = xasprintf("/doze/v1/builds/%s/log?from=%zu", build, from);
	autobuf struct buf text = { 0 };
	struct err e;
	long status;

	if (client_call(c, "GET", path, NULL, &text, &status, &e))
		return 0; /* the log is not there yet */
	fwrite(text.data, 1, text.size, stdout);
	fflush(stdout);
	return text.size;
}

static char *build_id_of(struct client *c, const char *arn, const char *version)
{
	autofree char *escaped = client_escape(arn);
	autofree char *path = xasprintf(IMAGES "/%s/versions/%s/builds", escaped, version);
	struct err e;
	json_t *builds = client_list(c, path, &e);
	const char *id = json_text(json_array_get(builds, 0), "buildId");
	char *copy = *id ? xstrdup(id) : NULL;

	json_decref(builds);
	return copy;
}

static json_t *build_version_get(struct client *c, const char *arn, const char *version,
				 struct err *e)
{
	autofree char *escaped = client_escape(arn);
	autofree char *path = xasprintf(IMAGES "/%s/versions/%s", escaped, version);

	return client_json(c, "GET", path, NULL, e);
}

/* Shows the log until the version is made or has failed. */
static int build_follow(struct client *c, const char *arn, const char *version)
{
	int64_t begin = clock_mono_ms();
	autofree char *build = NULL, *words = NULL, *log = NULL;
	size_t from = 0;
	struct err e;

	while (clock_mono_ms() - begin < BUILD_MS) {
		json_t *v = build_version_get(c, arn, version, &e);
		bool over;

		if (!v)
			return say(&e);
		over = !strcmp(json_text(v, "state"), "SUCCESSFUL") ||
		       !strcmp(json_text(v, "state"), "FAILED");
		if (!build)
			build = build_id_of(c, arn, version);
		if (build && !c->json)
			from += build_log_more(c, build, from);
		if (over) {
			bool failed = !strcmp(json_text(v, "state"), "FAILED");
			int rc = 0;

			if (c->json)
				json_print(v);
			else if (!failed)
				printf("%s  version %s  made in %.1f s\n", arn, version,
				       (double)(clock_mono_ms() - begin) / 1000);
			if (failed)
				rc = say_text("version %s failed: %s", version,
					      json_text(v, "stateReason"));
			json_decref(v);
			return rc;
		}
		json_decref(v);
		usleep(POLL_US);
	}
	words = xasprintf("image log %s", arn);
	log = command_text(&c->conf, words);
	return say_text("the build takes longer than two hours; '%s' shows how far it is", log);
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
	rc = build_follow(c, arn, json_text(made, "imageVersion"));
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
	rc = build_follow(c, arn, json_text(made, "imageVersion"));
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
	struct err e;
	autofree char *arn = name_image(c, t->words.at[0], &e);
	autofree char *escaped = arn ? client_escape(arn) : NULL;
	autofree char *path = arn ? xasprintf(IMAGES "/%s", escaped) : NULL;
	json_t *done;

	done = arn ? client_json(c, "DELETE", path, NULL, &e) : NULL;
	if (!done)
		return say(&e);
	printf("%s  %s\n", arn, json_text(done, "state"));
	json_decref(done);
	return 0;
}

int cmd_image_log(struct client *c, const struct typed *t)
{
	struct words w = t->words;
	struct err e;
	autofree char *arn = name_image(c, w.at[0], &e);
	autofree char *escaped = arn ? client_escape(arn) : NULL;
	autofree char *path = arn ? xasprintf(IMAGES "/%s/versions", escaped) : NULL;
	autofree char *build = NULL;
	json_t *versions;
	const char *newest;
	size_t from = 0, more;

	versions = arn ? client_list(c, path, &e) : NULL;
	if (!versions)
		return say(&e);
	newest = w.n > 1 ? w.at[1] : json_text(json_array_get(versions, 0), "imageVersion");
	build = build_id_of(c, arn, newest);
	json_decref(versions);
	if (!build)
		return say_text("there is no build log of '%s', version %s", w.at[0],
				w.n > 1 ? w.at[1] : "newest");
	while ((more = build_log_more(c, build, from)))
		from += more;
	return 0;
}
