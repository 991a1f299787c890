/* dockerfile_lower.c - walks over the stages that are needed, and rewrites their instructions. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wire/dockerfile_job.h"
#include "wire/sigv4.h"

static const struct dockerfile_rule {
	const char *word;
	int (*lower)(struct dockerfile_job *j);
} dockerfile_rules[] = {
	{ "RUN", dockerfile_lower_run },
	{ "COPY", dockerfile_lower_copy },
	{ "ADD", dockerfile_lower_copy },
};

int dockerfile_refuse_at(struct dockerfile_job *j, int line, const char *fmt, ...)
{
	char text[sizeof(j->e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(j->e, ERR_INVALID, "Dockerfile:%d: %s.", line, text);
}

void dockerfile_note(struct dockerfile_job *j, const char *text)
{
	buf_addf(&j->out->notes, "Dockerfile:%d: %s\n", j->inst->line, text);
}

/* Many fetch a program for one processor only, and find out when it does not start. */
static void dockerfile_warn_arch(struct dockerfile_job *j)
{
	static const char *const names[] = { "aarch64", "arm64" };
	autobuf struct buf text = { 0 };

	if (strcmp(j->how->arch, "amd64") != 0)
		return;
	buf_add(&text, j->inst->args.data, j->inst->args.size);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasestr(buf_str(&text), names[i])) {
			buf_addf(&j->out->notes,
				 "Dockerfile:%d: warning: it names %s, but this host and its "
				 "microVMs are x86_64; what is fetched here may not run.\n",
				 j->inst->line, names[i]);
			return;
		}
}

static int dockerfile_lower_one(struct dockerfile_job *j)
{
	if (j->out->n_files > DOCKERFILE_MAX)
		return dockerfile_refuse(j, "too many heredocs");
	if (j->out->text.size + j->text.size > LIMIT_DOCKERFILE_WORK)
		return dockerfile_refuse(j, "%s: the file becomes too long", j->inst->word);
	for (size_t i = 0; i < ARRAY_SIZE(dockerfile_rules); i++)
		if (!strcmp(j->inst->word, dockerfile_rules[i].word)) {
			dockerfile_warn_arch(j);
			return dockerfile_rules[i].lower(j);
		}
	return dockerfile_lower_config(j);
}

static int dockerfile_run_triggers(struct dockerfile_job *j, const struct dockerfile_vars *triggers,
				   char escape)
{
	const struct dockerfile_inst *from = j->inst;
	int rc = 0;

	for (size_t i = 0; !rc && i < triggers->n; i++) {
		struct dockerfile *d =
			dockerfile_trigger_parse(triggers->v[i].value, escape, from->line, j->e);

		if (!d)
			return -1;
		j->inst = &d->inst[1];
		j->escape = escape;
		rc = dockerfile_lower_one(j);
		j->inst = from;
		j->escape = j->d->escape;
		dockerfile_free(d);
	}
	return rc;
}

static void dockerfile_image_triggers(const json_t *config, struct dockerfile_vars *to)
{
	const json_t *list = json_object_get(config, "OnBuild");

	for (size_t i = 0; i < json_array_size(list); i++) {
		autofree char *number = xasprintf("%zu", i);
		const char *text = json_string_value(json_array_get(list, i));

		if (text)
			dockerfile_vars_set(to, number, text);
	}
}

static void dockerfile_step_free(struct dockerfile_step *step)
{
	free(step->text);
	free(step->lowered);
}

/* The builder runs the triggers of an image by itself. Here they only change what later
 * instructions see. */
static int dockerfile_follow_triggers(struct dockerfile_job *j, const json_t *config)
{
	struct dockerfile_lowered *out = j->out;
	struct dockerfile_vars triggers = { 0 };
	size_t steps = out->n_steps;
	int rc;

	dockerfile_image_triggers(config, &triggers);
	rc = dockerfile_run_triggers(j, &triggers, '\\');
	while (out->n_steps > steps)
		dockerfile_step_free(&out->steps[--out->n_steps]);
	for (size_t i = 0; i < triggers.n; i++)
		dockerfile_put(j, "", false);
	buf_clear(&j->text);
	dockerfile_vars_free(&j->given);
	dockerfile_vars_free(&triggers);
	return rc;
}

/* Each stage has the variables of its base for itself. */
static int dockerfile_count_vars(struct dockerfile_job *j)
{
	const struct dockerfile_vars *env = &j->stage->state.env;
	size_t n = 0;

	for (size_t i = 0; i < env->n; i++)
		n += strlen(env->v[i].name) + strlen(env->v[i].value) + sizeof(env->v[i]);
	return dockerfile_work(&j->stages.work, n)
		       ? 0
		       : dockerfile_refuse(j, "FROM: " DOCKERFILE_TOO_LONG);
}

/* Begin with what the base has set.  Its triggers run before the stage's own instructions. */
static int dockerfile_begin(struct dockerfile_job *j, const struct dockerfile_base *image,
			    struct buf *from)
{
	struct dockerfile_stage *stage = j->stage, *base = stage->base;

	if (stage->platform.size && !strstr(buf_str(&stage->platform), j->how->arch))
		dockerfile_note(j, "--platform is ignored: images are built for the host.");
	if (base) {
		dockerfile_state_copy(&stage->state, &base->state);
		buf_adds(from, base->builder);
		if (dockerfile_count_vars(j))
			return -1;
		return dockerfile_run_triggers(j, &base->state.triggers, j->d->escape);
	}
	dockerfile_state_of_image(&stage->state, image->config);
	buf_adds(from, image->image);
	if (dockerfile_count_vars(j) || dockerfile_follow_triggers(j, image->config))
		return -1;
	return 0;
}

/* The builder shows an id for a stage's name. */
#define DOCKERFILE_FROM "FROM "

/* Puts one more stage with a step that nobody wrote before the stage that is being lowered. */
static void dockerfile_put_tree(struct dockerfile_job *j, const struct dockerfile_stage *stage)
{
	struct dockerfile_lowered *out = j->out;
	size_t behind = out->n_steps - j->first_step;
	struct dockerfile_step *at;

	buf_addf(&out->text, "FROM %s AS %s\n", stage->builder, stage->tree);
	out->steps = xrealloc(out->steps, (out->n_steps + 1) * sizeof(*out->steps));
	at = &out->steps[j->first_step++];
	memmove(at + 1, at, behind * sizeof(*at));
	out->n_steps++;
	*at = (struct dockerfile_step){ .stage = out->n_lowered_stages++,
					.user_stage = out->n_stages,
					.line = stage->from->line };
	at->text = xasprintf("FROM %.*s", (int)stage->from->args.size,
			     (const char *)stage->from->args.data);
	at->lowered = xstrdup(DOCKERFILE_FROM);
	for (size_t i = 1; i <= behind; i++)
		at[i].stage++;
}

/* A stage that comes from the cache as a whole has no file system that could be mounted. One with
 * no instruction always has. */
static void dockerfile_put_trees(struct dockerfile_job *j)
{
	for (size_t i = 0; i < j->stages.n; i++) {
		struct dockerfile_stage *stage = &j->stages.v[i];

		if (stage->mounted && !stage->placed)
			dockerfile_put_tree(j, stage);
		stage->placed = stage->mounted;
	}
}

/* The stage's name holds the hash of all that makes it, so that whatever mounts it is cached by
 * what it mounts. */
static void dockerfile_end(struct dockerfile_job *j, const char *from, const char *id)
{
	autobuf struct buf all = { 0 };
	char hex[65];

	buf_addf(&all, "%s\n%s\n", from, id ? id : "");
	buf_add(&all, j->text.data, j->text.size);
	sha256_hex(all.data, all.size, hex);
	snprintf(j->stage->builder, sizeof(j->stage->builder), "doze-stage-%zu-%.16s",
		 (size_t)(j->stage - j->stages.v), hex);
	snprintf(j->stage->tree, sizeof(j->stage->tree), "%s-tree", j->stage->builder);
	dockerfile_put_trees(j);
	j->out->steps[j->first_step].lowered = xstrdup(DOCKERFILE_FROM);
	buf_addf(&j->out->text, "FROM %s AS %s\n", from, j->stage->builder);
	buf_add(&j->out->text, j->text.data, j->text.size);
	buf_clear(&j->text);
	dockerfile_vars_free(&j->given);
}

static int dockerfile_lower_stage(struct dockerfile_job *j, struct dockerfile_stage *stage)
{
	static const struct dockerfile_base scratch = { "scratch", NULL, NULL };
	const struct dockerfile_base *image = NULL;
	const char *name = buf_str(&stage->image);
	autobuf struct buf from = { 0 };
	int rc;

	j->stage = stage;
	j->inst = stage->from;
	j->number = 1;
	j->out->n_stages++;
	j->out->n_lowered_stages++;
	j->first_step = j->out->n_steps;
	j->workdir_waits = false;
	buf_clear(&j->cmd);
	if (!stage->base)
		image = !strcmp(name, "scratch") ? &scratch : j->how->base(j->how->arg, name);
	if (!stage->base && !image)
		return dockerfile_refuse(j, "the image '%s' is not known", name);
	dockerfile_put(j, "", true); /* FROM has a number too; its text comes last */
	buf_clear(&j->text);
	rc = dockerfile_begin(j, image, &from);
	for (j->inst++; !rc && j->inst < j->d->inst + stage->end; j->inst++) {
		j->number++;
		rc = dockerfile_lower_one(j);
	}
	j->inst = stage->from;
	dockerfile_need_workdir(j, NULL);
	if (!rc && stage == &j->stages.v[j->stages.n - 1])
		dockerfile_put_volumes(j);
	dockerfile_end(j, buf_str(&from), image ? image->id : NULL);
	return rc;
}

int dockerfile_lower(const struct dockerfile *d, const struct dockerfile_lowering *how,
		     struct dockerfile_lowered *out, struct err *e)
{
	struct dockerfile_job j = { .d = d, .how = how, .out = out, .escape = d->escape, .e = e };
	int rc;

	*out = (struct dockerfile_lowered){ 0 };
	rc = dockerfile_stages_read(&j.stages, d, how->arch, e);
	for (size_t i = 0; !rc && i < j.stages.n; i++)
		if (j.stages.v[i].needed)
			rc = dockerfile_lower_stage(&j, &j.stages.v[i]);
	dockerfile_stages_free(&j.stages);
	dockerfile_vars_free(&j.given);
	buf_free(&j.text);
	buf_free(&j.cmd);
	if (rc)
		dockerfile_lowered_free(out);
	return rc;
}

void dockerfile_lowered_free(struct dockerfile_lowered *l)
{
	for (size_t i = 0; i < l->n_files; i++) {
		free(l->files[i].path);
		buf_free(&l->files[i].data);
	}
	for (size_t i = 0; i < l->n_fetches; i++) {
		struct dockerfile_fetch *f = &l->fetches[i];
		char *const texts[] = { f->url, f->name, f->ref, f->subdir, f->checksum };

		for (size_t n = 0; n < ARRAY_SIZE(texts); n++)
			free(texts[n]);
	}
	for (size_t i = 0; i < l->n_own; i++)
		free(l->own[i]);
	for (size_t i = 0; i < l->n_steps; i++)
		dockerfile_step_free(&l->steps[i]);
	free(l->files);
	free(l->fetches);
	free(l->own);
	free(l->steps);
	buf_free(&l->text);
	buf_free(&l->notes);
	*l = (struct dockerfile_lowered){ 0 };
}
