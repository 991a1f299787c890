/* dockerfile_special.c - copies that the builder has no words for are run by a program of ours.
 *
 * It runs in the stage as root, with the sources bound beside it; /dev is a tmpfs of the step, so
 * that nothing of both stays in the image. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "wire/dockerfile_copy.h"

#define DOCKERFILE_SOURCE "/dev/doze-source"
#define DOCKERFILE_COPIER "/dev/doze-copy"
#define DOCKERFILE_USE_COPIER                                                                     \
	"--mount=type=bind,from=" DOCKERFILE_TOOLS ",source=/doze-copy,target=" DOCKERFILE_COPIER \
	" [\"" DOCKERFILE_COPIER "\""

/* May a source match a name that the builder would then take for another pattern?  What a stage
 * holds is not known, but who looks for such names there has to write brackets. */
static bool dockerfile_special_matches(const struct dockerfile_copy *c)
{
	const struct dockerfile_lowering *how = c->job->how;
	const char *wildcards = c->from ? "[" : "*?[";
	bool may = false;

	if (strcmp(c->job->inst->word, "COPY") != 0)
		return false;
	for (size_t i = 0; i < json_array_size(c->sources); i++)
		may = may || strpbrk(json_string_value(json_array_get(c->sources, i)), wildcards);
	return may && (c->from || (how->odd_names && how->odd_names(how->arg)));
}

bool dockerfile_copy_is_special(const struct dockerfile_copy *c)
{
	bool symbolic = c->chmod && !isdigit((unsigned char)*c->chmod);

	return c->parents || json_array_size(c->exclude) || symbolic ||
	       dockerfile_special_matches(c);
}

static void dockerfile_special_arg(struct buf *to, const char *name, const char *value)
{
	autofree char *arg = xasprintf("%s%s", name, value);

	buf_adds(to, ",");
	dockerfile_json(to, arg);
}

/* @own: the owners of the sources mean nothing. */
static void dockerfile_special_args(const struct dockerfile_copy *c, bool own, struct buf *to)
{
	if (c->chown)
		dockerfile_special_arg(to, "--chown=", c->chown);
	if (c->chmod)
		dockerfile_special_arg(to, "--chmod=", c->chmod);
	if (c->parents)
		dockerfile_special_arg(to, "--parents", "");
	for (size_t i = 0; i < json_array_size(c->exclude); i++)
		dockerfile_special_arg(
			to, "--exclude=", json_string_value(json_array_get(c->exclude, i)));
	if (own)
		dockerfile_special_arg(to, "--own", "");
	dockerfile_special_arg(to, "--", "");
}

static void dockerfile_special_user(struct dockerfile_job *j, const char *user)
{
	autobuf struct buf line = { 0 };

	buf_adds(&line, "USER ");
	dockerfile_quote(&line, user);
	dockerfile_put(j, buf_str(&line), false);
}

/* @args: those of the copier, without its target; they begin with a comma. */
static void dockerfile_special_put(struct dockerfile_copy *c, const char *from, struct buf *args,
				   bool own)
{
	struct dockerfile_job *j = c->job;
	autobuf struct buf line = { 0 };

	buf_addf(&line,
		 "RUN --mount=type=bind,from=%s,source=/,target=" DOCKERFILE_SOURCE
		 " " DOCKERFILE_USE_COPIER,
		 from);
	buf_adds(&line, buf_str(args));
	dockerfile_special_arg(&line, "", buf_str(&c->target));
	buf_adds(&line, "]");
	if (j->stage->state.user)
		dockerfile_special_user(j, "0:0");
	dockerfile_put(j, buf_str(&line), own);
	if (j->stage->state.user)
		dockerfile_special_user(j, j->stage->state.user);
	j->out->tools = true;
}

static void dockerfile_special_run(struct dockerfile_copy *c, const char *from, bool own,
				   struct buf *sources)
{
	autobuf struct buf args = { 0 };

	dockerfile_special_args(c, own, &args);
	buf_adds(&args, buf_str(sources));
	dockerfile_special_put(c, from, &args, true);
}

/* One hash must do for all sources, so that of a single plain one is narrower than that of all. */
static const char *dockerfile_special_context(struct dockerfile_copy *c)
{
	const char *only = json_string_value(json_array_get(c->sources, 0));
	autobuf struct buf path = { 0 };

	if (json_array_size(c->sources) == 1 && !strpbrk(only, "*?[\\") && !c->parents)
		dockerfile_path(NULL, only, false, &path);
	return dockerfile_own(c->job, path.size ? buf_str(&path) + 1 : "");
}

/* The builder makes a working directory, for its user, when something runs in it. BuildKit makes it
 * at once. */
void dockerfile_need_workdir(struct dockerfile_job *j, const char *target)
{
	const struct dockerfile_state *s = &j->stage->state;
	bool root = !s->user || !*s->user || !strcmp(s->user, "root") || !strcmp(s->user, "0");
	const char *workdir = s->workdir ? s->workdir : "";
	size_t n = strlen(workdir);

	if (!j->workdir_waits)
		return;
	if (target && root) { /* a copy makes its folders for root */
		j->workdir_waits = strncmp(target, workdir, n) || (target[n] && target[n] != '/');
		return;
	}
	dockerfile_put(j, "RUN " DOCKERFILE_USE_COPIER "]", false);
	j->out->tools = true;
	j->workdir_waits = false;
}

/* ADD looks into a file to see whether it is an archive. Here its name must do. */
static bool dockerfile_special_is_archive(const char *source)
{
	static const char *const names[] = { ".tar", ".tgz", ".tbz", ".txz", ".tzst", ".gz",
					     ".bz2", ".xz",  ".zst", "*",    "?",     "[" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strstr(source, names[i]))
			return true;
	return false;
}

static int dockerfile_special_check(struct dockerfile_copy *c, const char *source)
{
	struct dockerfile_job *j = c->job;
	bool add = !strcmp(j->inst->word, "ADD");

	if (dockerfile_is_url(source) || dockerfile_is_git(source))
		return dockerfile_refuse(j,
					 "%s of a URL takes neither --exclude nor a symbolic "
					 "--chmod here",
					 j->inst->word);
	if (add && !(c->unpack_set && !c->unpack) && dockerfile_special_is_archive(source))
		return dockerfile_refuse(j, "ADD of an archive takes neither --exclude nor a "
					    "symbolic --chmod here");
	return 0;
}

static int dockerfile_special_documents(struct dockerfile_copy *c)
{
	autobuf struct buf args = { 0 };

	for (size_t i = 0; i < c->parts.n_words; i++) {
		const struct dockerfile_heredoc *h = c->parts.words[i].heredoc;
		const char *path = h ? dockerfile_copy_document(c, h) : "";

		if (!path)
			return -1;
		if (h)
			dockerfile_special_arg(&args, "", path);
	}
	if (args.size)
		dockerfile_special_run(c, DOCKERFILE_CONTEXT, true, &args);
	return 0;
}

int dockerfile_copy_special(struct dockerfile_copy *c)
{
	autobuf struct buf args = { 0 };
	const char *from;

	for (size_t i = 0; i < json_array_size(c->sources); i++) {
		const char *source = json_string_value(json_array_get(c->sources, i));

		if (dockerfile_special_check(c, source))
			return -1;
		dockerfile_special_arg(&args, "", source);
	}
	if (args.size) {
		from = c->from ? dockerfile_mount_from(c->job, c->from)
			       : dockerfile_special_context(c);
		if (!from)
			return -1;
		dockerfile_special_run(c, from, !c->from, &args);
	}
	return dockerfile_special_documents(c);
}

static bool dockerfile_look_is_due(struct dockerfile_copy *c)
{
	static const char *const linked[] = { "/", "/etc/", "/usr/", "/usr/local/", "/var/" };
	const struct dockerfile_lowering *how = c->job->how;
	struct dockerfile_stage *stage = c->job->stage;
	const char *source = json_string_value(json_array_get(c->sources, 0));
	autobuf struct buf target = { 0 }, path = { 0 };
	bool due = false;

	while (stage->base)
		stage = stage->base;
	/* What has nothing has no links, and a step would leave its mount points there. */
	if (json_array_size(c->sources) != 1 || !strcmp(buf_str(&stage->image), "scratch"))
		return false;
	dockerfile_path(NULL, buf_str(&c->target), false, &target);
	buf_adds(&target, target.size > 1 ? "/" : "");
	for (size_t i = 0; i < ARRAY_SIZE(linked); i++)
		due = due || !strcmp(buf_str(&target), linked[i]);
	dockerfile_path(NULL, source, false, &path);
	return due && (c->from || (how->folder && how->folder(how->arg, buf_str(&path) + 1)));
}

int dockerfile_copy_look(struct dockerfile_copy *c)
{
	autobuf struct buf args = { 0 };
	const char *from;

	if (!dockerfile_look_is_due(c))
		return 0;
	from = c->from ? dockerfile_mount_from(c->job, c->from) : dockerfile_special_context(c);
	if (!from)
		return -1;
	dockerfile_special_arg(&args, "--look", "");
	dockerfile_special_arg(&args, "--", "");
	dockerfile_special_arg(&args, "", json_string_value(json_array_get(c->sources, 0)));
	dockerfile_special_put(c, from, &args, false);
	return 0;
}
