/* The stages from the artifact to a container image. Build steps, which priv starts, do the work.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "image/build.h"
#include "image/registries.h"

/* Errors of S3, in the sentences of service.md 10.1. */
static const struct {
	const char *s3, *code, *text;
} build_object_faults[] = {
	{ "NoSuchKey", "S3_NO_SUCH_KEY", "The code artifact s3://%s/%s does not exist." },
	{ "NoSuchBucket", "S3_NO_SUCH_BUCKET", "The bucket of s3://%s/%s does not exist." },
	{ "AccessDenied", "S3_ACCESS_DENIED", "Access to the code artifact s3://%s/%s is denied." },
};

static void build_not_fetched(struct build *b, const struct object_fault *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(build_object_faults); i++)
		if (!strncmp(f->code, build_object_faults[i].s3, sizeof(f->code))) {
			autofree char *text = NULL;
			const char *form = build_object_faults[i].text;
			const char *at = strstr(form, "s3://%s/%s");

			text = xasprintf("%.*ss3://%s/%s%s", (int)(at - form), form, b->spec.bucket,
					 b->spec.key, at + 10);
			build_fail(b, build_object_faults[i].code, "%s", text);
			return;
		}
	build_fail(b, CODE_INTERNAL, "The code artifact could not be fetched: %.*s",
		   (int)sizeof(f->text) - 1, f->text);
}

static void build_fetched(struct request *r, struct ipc_msg *m)
{
	struct build *b = container_of(r, struct build, artifact.request);
	const struct object_found *found;

	if (!m || (m->head.type != OBJECT_FOUND && m->head.type != OBJECT_FAULT)) {
		build_fail(b, CODE_INTERNAL, "The object store was restarted during the build.");
		return;
	}
	if (m->head.type == OBJECT_FAULT) {
		build_not_fetched(b, (const void *)m->body);
		return;
	}
	found = (const void *)m->body;
	if (found->size > LIMIT_ZIP_SIZE) {
		build_fail(b, "ARCHIVE_INVALID", "The archive is larger than %llu MiB.",
			   LIMIT_ZIP_SIZE / MIB);
		return;
	}
	b->artifact.fd = ipc_msg_take_fd(m, 0);
	build_logf(b, "doze: artifact s3://%s/%s, %llu bytes", b->spec.bucket, b->spec.key,
		   (unsigned long long)found->size);
	build_next(b);
}

/* The account in the image's ARN: arn:aws:lambda:<region>:<account>:... */
static void build_account(const char *arn, char *to, size_t size)
{
	for (int i = 0; i < 4 && arn; i++) {
		arn = strchr(arn, ':');
		arn = arn ? arn + 1 : NULL;
	}
	snprintf(to, size, "%.*s", arn ? (int)strcspn(arn, ":") : 0, arn ? arn : "");
}

void build_fetch(struct build *b)
{
	struct object_get get = { 0 };

	if (strlen(b->spec.bucket) >= sizeof(get.bucket) ||
	    strlen(b->spec.key) >= sizeof(get.key)) {
		build_fail(b, "S3_NO_SUCH_KEY", "The code artifact's name is too long.");
		return;
	}
	build_account(b->spec.arn, get.account, sizeof(get.account));
	memcpy(get.bucket, b->spec.bucket, strlen(b->spec.bucket));
	memcpy(get.key, b->spec.key, strlen(b->spec.key));
	request_send(b->role, b->role->objects, &b->artifact.request,
		     &(struct request_what){ OBJECT_GET, &get, sizeof(get), NULL, 0 },
		     build_fetched);
}

static void build_job_output(struct job *j, const uint8_t *data, size_t size)
{
	build_output(container_of(j, struct build, job), data, size);
}

/* The step's own reason is used if it left one. */
static void build_job_failed(struct build *b, const json_t *result, const struct err *e)
{
	const char *code = json_string_value(json_object_get(result, "code"));
	const char *reason = json_string_value(json_object_get(result, "reason"));
	char sentence[sizeof(b->done.reason)];

	if (code && reason) {
		build_progress_reason(b, reason, sentence, sizeof(sentence));
		build_fail(b, code, "%s", sentence);
	} else if (e && e->kind == ERR_QUOTA) {
		autofree char *text = xasprintf("The container image build failed. %s", e->text);

		build_progress_reason(b, text, sentence, sizeof(sentence));
		build_fail(b, CODE_BUILD, "%s", sentence);
	} else if (e)
		build_fail(b, CODE_INTERNAL, "%s", e->text);
	else
		build_fail(b, CODE_INTERNAL, "A build step left no proper result.");
}

static void build_job_done(struct job *j, const json_t *result, const struct err *e)
{
	struct build *b = container_of(j, struct build, job);

	if (b->clearing)
		build_stopped(b);
	else if (!json_is_true(json_object_get(result, "ok")))
		build_job_failed(b, result, e);
	else if (b->stepped)
		b->stepped(b, result);
	else
		build_next(b);
}

static const struct job_ops build_job_ops = { build_job_output, build_job_done };

/* Every step gets these options and ignores those that it does not need. */
void build_step_options(struct image_role *role, struct job *j)
{
	const struct conf *conf = role->conf;
	autofree char *store = xasprintf("%s/build/layers", conf->data_dir);
	autofree char *list = xstrdup(conf->insecure_registries);
	autofree char *silence = xasprintf("%lld", (long long)conf->build_silence_ms);
	char *rest = list, *word;

	job_option(j, "--store", store);
	job_option(j, "--libexec", conf->libexec_dir);
	job_option(j, "--arch", role->arch);
	job_option(j, "--registry", role->npm_registry);
	if (!access(conf->site_ca, R_OK))
		job_option(j, "--ca", conf->site_ca);
	if (conf->stand_in_older)
		job_arg(j, "--older");
	while ((word = strsep(&rest, ", ")))
		job_option(j, "--insecure", word);
	job_option(j, "--silence", silence);
}

void build_step(struct build *b, const char *name, enum priv_net net)
{
	b->stepped = NULL;
	job_begin(&b->job, b->role, &build_job_ops, b->files.dir_fd, b->files.dir_name, name);
	b->job.net = net;
	build_step_options(b->role, &b->job);
}

void build_unpack(struct build *b)
{
	build_step(b, "unpack", PRIV_NET_NONE);
	job_start(&b->job, b->artifact.fd);
	fd_close(&b->artifact.fd);
}

static void build_base_turn(struct build *b, enum priv_net net);

/* Names whose registry is not configured wait for a step in the other network, whose turn it then
 * is.  A step that has got no further by itself ends with an error, so the count only guards
 * against one that lies. */
static void build_based(struct build *b, const json_t *result)
{
	if (!json_is_true(json_object_get(result, "other_network")) || b->base.turns > 8) {
		build_next(b);
		return;
	}
	build_base_turn(b, b->job.net == PRIV_NET_HOST ? PRIV_NET_SLOT : PRIV_NET_HOST);
}

static void build_base_turn(struct build *b, enum priv_net net)
{
	b->base.turns++;
	build_step(b, net == PRIV_NET_HOST ? "base" : "pull", net);
	b->stepped = build_based;
	registries_start(&b->job, net);
}

void build_base(struct build *b)
{
	b->base.turns = 0;
	build_base_turn(b, PRIV_NET_HOST);
}

void build_env_each(struct build *b, void (*each)(struct build *b, const char *pair))
{
	autofree char *list = xstrdup(b->role->conf->build_env);
	char *rest = list, *word;

	while ((word = strsep(&rest, ",")))
		if (strchr(word, '='))
			each(b, word + strspn(word, " "));
}

static void build_env_add(struct build *b, const char *pair)
{
	job_option(&b->job, "--env", pair);
}

void build_container(struct build *b)
{
	autofree char *tag = build_tag(b);

	build_step(b, "build", b->spec.internet ? PRIV_NET_SLOT : PRIV_NET_NONE);
	job_option(&b->job, "--tag", tag);
	registries_resolver(&b->job);
	build_env_each(b, build_env_add);
	job_start(&b->job, -1);
}
