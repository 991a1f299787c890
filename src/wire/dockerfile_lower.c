/* dockerfile_lower.c - rewrites instructions for the builder. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wire/dockerfile.h"
#include "wire/dockerfile_parts.h"
#include "wire/sigv4.h"

/* Where the heredoc of a RUN is bound.  /dev is a tmpfs of the step, so nothing of it remains. */
#define DOCKERFILE_SCRIPT "/dev/doze-heredoc"

struct dockerfile_job {
	struct dockerfile_walk walk;
	const struct dockerfile_lowering *how;
	struct dockerfile_lowered *out;
	struct err *e;
};

static void dockerfile_note(struct dockerfile_job *j, const struct dockerfile_inst *inst,
			    const char *text)
{
	buf_addf(&j->out->notes, "Dockerfile:%d: %s\n", inst->line, text);
}

/* Find the builder's name for an outside image.  Returns NULL, with the error set, if it has none.
 */
static const struct dockerfile_base *dockerfile_resolve(struct dockerfile_job *j, const char *name,
							int line)
{
	static const struct dockerfile_base scratch = { "scratch", NULL };
	const struct dockerfile_base *base =
		!strcmp(name, "scratch") ? &scratch : j->how->base(j->how->arg, name);

	if (!base)
		err_set(j->e, ERR_NOT_FOUND, "Dockerfile:%d: the image '%s' is not known.", line,
			name);
	return base;
}

static int dockerfile_lower_from(struct dockerfile_job *j, const struct dockerfile_inst *inst)
{
	const struct dockerfile_base *base;
	struct dockerfile_base stage = { 0 };
	struct dockerfile_from f = { 0 };
	int rc = -1;

	if (dockerfile_from_read(&j->walk, inst, &f, j->e))
		goto out;
	stage.image = buf_str(&f.image);
	base = dockerfile_walk_stage(&j->walk, stage.image) && !isdigit((unsigned char)*stage.image)
		       ? &stage
		       : dockerfile_resolve(j, stage.image, inst->line);
	if (!base)
		goto out;
	if (f.platform.size && !strstr(buf_str(&f.platform), j->how->arch))
		dockerfile_note(j, inst, "--platform is ignored: images are built for the host.");
	buf_addf(&j->out->text, "FROM %s%s%s\n", base->image, f.stage.size ? " AS " : "",
		 buf_str(&f.stage));
	if (base->setup)
		buf_addf(&j->out->text, "%s\n", base->setup);
	rc = 0;
out:
	dockerfile_from_free(&f);
	return rc;
}

/* Append the flag as the builder takes it, and a blank. */
static int dockerfile_lower_flag(struct dockerfile_job *j, const struct dockerfile_inst *inst,
				 const struct dockerfile_part *flag, struct buf *to)
{
	autobuf struct buf name = { 0 };
	const struct dockerfile_base *base;
	size_t at = 0, size = dockerfile_flag_image(flag->text, flag->size, &at);

	if (dockerfile_flag_is(flag, "--link")) {
		dockerfile_note(j, inst, "--link changes nothing here and is left out.");
		return 0;
	}
	buf_add(&name, flag->text + at, size);
	if (!size || dockerfile_walk_stage(&j->walk, buf_str(&name))) {
		buf_addf(to, "%.*s ", (int)flag->size, flag->text);
		return 0;
	}
	base = dockerfile_resolve(j, buf_str(&name), inst->line);
	if (!base)
		return -1;
	if (base->setup) /* Only a FROM can be followed by setup lines. */
		return err_set(j->e, ERR_NOT_FOUND, "Dockerfile:%d: the image '%s' is not known.",
			       inst->line, buf_str(&name));
	buf_add(to, flag->text, at);
	buf_adds(to, base->image);
	buf_add(to, flag->text + at + size, flag->size - at - size);
	buf_adds(to, " ");
	return 0;
}

static int dockerfile_lower_flags(struct dockerfile_job *j, const struct dockerfile_parts *p,
				  struct buf *to)
{
	for (size_t i = 0; i < p->n_flags; i++)
		if (dockerfile_lower_flag(j, p->inst, &p->flags[i], to))
			return -1;
	return 0;
}

/* Add a file to the heredoc context.  Its name is the hash of its content, so that the layer cache
 * sees a change.  @name is "" for a script.  Returns the path to write in the lowered Dockerfile.
 */
static const char *dockerfile_add_file(struct dockerfile_job *j, struct buf *data, const char *name)
{
	struct dockerfile_lowered *out = j->out;
	char hex[65];
	struct dockerfile_file *f;

	sha256_hex(data->data, data->size, hex);
	out->files = xrealloc(out->files, (out->n_files + 1) * sizeof(*out->files));
	f = &out->files[out->n_files++];
	*f = (struct dockerfile_file){ .script = !*name, .data = *data };
	f->path = *name ? xasprintf("%s/%s", hex, name) : xstrdup(hex);
	*data = (struct buf){ 0 };
	return f->path;
}

static void dockerfile_body(const struct dockerfile_heredoc *h, struct buf *to)
{
	const uint8_t *at = h->body.data, *end = at + h->body.size;

	if (!h->strip) {
		buf_add(to, at, h->body.size);
		return;
	}
	while (at < end) {
		const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
		const uint8_t *next = newline ? newline + 1 : end;

		while (at < next && *at == '\t')
			at++;
		buf_add(to, at, (size_t)(next - at));
		at = next;
	}
}

/* If the command is one heredoc and nothing else, its body is the script. */
static const struct dockerfile_heredoc *dockerfile_script(const struct dockerfile_parts *p)
{
	const struct dockerfile_part *first = p->words;

	return p->n_words == 1 && !isdigit((unsigned char)*first->text) ? first->heredoc : NULL;
}

/* The shell itself reads any other command with heredocs, as it was written. */
static void dockerfile_put_documents(const struct dockerfile_parts *p, struct buf *script)
{
	buf_addf(script, "%s\n", p->rest);
	for (size_t i = 0; i < p->inst->n_heredocs; i++) {
		const struct dockerfile_heredoc *h = &p->inst->heredocs[i];

		buf_add(script, h->body.data, h->body.size);
		buf_addf(script, "%s\n", h->name);
	}
}

/* The step's shell sources a script without "#!", so that the shell's own flags stay in force. */
static int dockerfile_print_run(struct dockerfile_job *j, const struct dockerfile_parts *p)
{
	const struct dockerfile_heredoc *only = dockerfile_script(p);
	autobuf struct buf flags = { 0 }, script = { 0 };
	bool executable = false;

	if (dockerfile_lower_flags(j, p, &flags))
		return -1;
	if (!p->inst->n_heredocs) {
		buf_addf(&j->out->text, "RUN %s%s\n", buf_str(&flags), p->rest);
		return 0;
	}
	if (only) {
		dockerfile_body(only, &script);
		executable = script.size > 2 && !memcmp(script.data, "#!", 2);
	} else {
		dockerfile_put_documents(p, &script);
	}
	buf_addf(&j->out->text,
		 "RUN %s--mount=type=bind,from=" DOCKERFILE_CONTEXT
		 ",source=%s,target=" DOCKERFILE_SCRIPT " %s" DOCKERFILE_SCRIPT "\n",
		 buf_str(&flags), dockerfile_add_file(j, &script, ""), executable ? "" : ". ");
	return 0;
}

/* Make the document a file of the context.  Returns its path there, or NULL and the error. */
static const char *dockerfile_add_document(struct dockerfile_job *j, int line,
					   const struct dockerfile_heredoc *h)
{
	autobuf struct buf body = { 0 }, data = { 0 };
	const char *why = NULL;

	dockerfile_body(h, &body);
	if (h->quoted)
		buf_add(&data, body.data, body.size);
	else
		why = dockerfile_expand(&j->walk.stage, (const char *)body.data, body.size,
					j->walk.d->escape, false, &data);
	if (!why)
		return dockerfile_add_file(j, &data, h->name);
	err_set(j->e, ERR_INVALID, "Dockerfile:%d: the heredoc %s: %s.", line, h->name, why);
	return NULL;
}

/* False for a flag that says something about the plain sources alone. */
static bool dockerfile_flag_of_documents(const struct dockerfile_part *flag)
{
	static const char *const others[] = { "--from", "--checksum", "--keep-git-dir", "--link" };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (dockerfile_flag_is(flag, others[i]))
			return false;
	return true;
}

/* All documents are copied from the context by one COPY. */
static int dockerfile_print_documents(struct dockerfile_job *j, const struct dockerfile_parts *p,
				      const struct dockerfile_part *to)
{
	autobuf struct buf text = { 0 };

	buf_adds(&text, "COPY ");
	for (size_t i = 0; i < p->n_flags; i++)
		if (dockerfile_flag_of_documents(&p->flags[i]))
			buf_addf(&text, "%.*s ", (int)p->flags[i].size, p->flags[i].text);
	buf_adds(&text, "--from=" DOCKERFILE_CONTEXT " ");
	for (const struct dockerfile_part *w = p->words; w < to; w++) {
		const char *path =
			w->heredoc ? dockerfile_add_document(j, p->inst->line, w->heredoc) : "";

		if (!path)
			return -1;
		if (w->heredoc)
			buf_addf(&text, "%s ", path);
	}
	buf_addf(&j->out->text, "%s%.*s\n", buf_str(&text), (int)to->size, to->text);
	return 0;
}

/* Plain sources remain one COPY or ADD, and heredocs become a second instruction. */
static int dockerfile_print_copy(struct dockerfile_job *j, const struct dockerfile_parts *p)
{
	const struct dockerfile_inst *inst = p->inst;
	const struct dockerfile_part *to;
	autobuf struct buf flags = { 0 }, plain = { 0 };

	if (dockerfile_lower_flags(j, p, &flags))
		return -1;
	if (!inst->n_heredocs) {
		buf_addf(&j->out->text, "%s %s%s\n", inst->word, buf_str(&flags), p->rest);
		return 0;
	}
	to = p->words + p->n_words - 1;
	if (to->heredoc)
		return err_set(j->e, ERR_INVALID, "Dockerfile:%d: %s without a destination.",
			       inst->line, inst->word);
	for (const struct dockerfile_part *w = p->words; w < to; w++)
		if (!w->heredoc)
			buf_addf(&plain, "%.*s ", (int)w->size, w->text);
	if (plain.size)
		buf_addf(&j->out->text, "%s %s%s%.*s\n", inst->word, buf_str(&flags),
			 buf_str(&plain), (int)to->size, to->text);
	return dockerfile_print_documents(j, p, to);
}

static int dockerfile_lower_parts(struct dockerfile_job *j, const struct dockerfile_inst *inst)
{
	struct dockerfile_parts p;
	int rc;

	dockerfile_parts_read(&p, inst, j->walk.d->escape);
	rc = (!strcmp(inst->word, "RUN") ? dockerfile_print_run : dockerfile_print_copy)(j, &p);
	dockerfile_parts_free(&p);
	return rc;
}

static int dockerfile_lower_healthcheck(struct dockerfile_job *j,
					const struct dockerfile_inst *inst)
{
	dockerfile_note(j, inst, "HEALTHCHECK has no effect in a microVM and is left out.");
	return 0;
}

static const struct dockerfile_rule {
	const char *word;
	int (*lower)(struct dockerfile_job *j, const struct dockerfile_inst *inst);
} dockerfile_rules[] = {
	{ "FROM", dockerfile_lower_from },
	{ "RUN", dockerfile_lower_parts },
	{ "COPY", dockerfile_lower_parts },
	{ "ADD", dockerfile_lower_parts },
	{ "HEALTHCHECK", dockerfile_lower_healthcheck },
};

/* An instruction without flags and heredocs needs no change. */
static bool dockerfile_verbatim(const struct dockerfile_inst *inst)
{
	const char *args = (const char *)inst->args.data;

	if (!strcmp(inst->word, "FROM") || !strcmp(inst->word, "HEALTHCHECK"))
		return false;
	return !inst->n_heredocs && !(inst->args.size > 2 && !memcmp(args, "--", 2));
}

static void dockerfile_warn_arch(struct dockerfile_job *j, const struct dockerfile_inst *inst)
{
	static const char *const names[] = { "aarch64", "arm64" };
	autobuf struct buf text = { 0 };

	if (strcmp(j->how->arch, "amd64") != 0)
		return;
	buf_add(&text, inst->args.data, inst->args.size);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasestr(buf_str(&text), names[i])) {
			buf_addf(&j->out->notes,
				 "Dockerfile:%d: warning: it names %s, but this host and its "
				 "microVMs are x86_64; what is fetched here may not run.\n",
				 inst->line, names[i]);
			return;
		}
}

static int dockerfile_lower_one(struct dockerfile_job *j, const struct dockerfile_inst *inst)
{
	dockerfile_warn_arch(j, inst);
	if (j->out->n_files > DOCKERFILE_MAX)
		return err_set(j->e, ERR_INVALID, "The Dockerfile has too many heredocs.");
	for (size_t i = 0; !dockerfile_verbatim(inst) && i < ARRAY_SIZE(dockerfile_rules); i++)
		if (!strcmp(inst->word, dockerfile_rules[i].word))
			return dockerfile_rules[i].lower(j, inst);
	buf_add(&j->out->text, inst->text.data, inst->text.size);
	buf_adds(&j->out->text, "\n");
	return 0;
}

int dockerfile_lower(const struct dockerfile *d, const struct dockerfile_lowering *how,
		     struct dockerfile_lowered *out, struct err *e)
{
	struct dockerfile_job j = { .how = how, .out = out, .e = e };
	int rc = 0;

	*out = (struct dockerfile_lowered){ 0 };
	if (d->escape != '\\')
		buf_addf(&out->text, "# escape=%c\n", d->escape);
	dockerfile_walk_begin(&j.walk, d, how->arch);
	for (size_t i = 0; !rc && i < d->n; i++) {
		rc = dockerfile_lower_one(&j, &d->inst[i]);
		dockerfile_walk_note(&j.walk, &d->inst[i]);
	}
	dockerfile_walk_end(&j.walk);
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
	free(l->files);
	buf_free(&l->text);
	buf_free(&l->notes);
	*l = (struct dockerfile_lowered){ 0 };
}
