/* dockerfile_job.c - what the rules of all instructions share. */

#include "wire/dockerfile_job.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wire/sigv4.h"

/* A line may be broken between two letters: the builder joins it again as it was. */
static void dockerfile_break(struct buf *to, const char *line)
{
	size_t since = 0;

	for (; *line; line++) {
		buf_add(to, line, 1);
		if (++since < DOCKERFILE_LONG || !isalnum((unsigned char)line[0]) ||
		    !isalnum((unsigned char)line[1]))
			continue;
		buf_adds(to, "\\\n");
		since = 0;
	}
	buf_adds(to, "\n");
}

static unsigned dockerfile_total(const struct dockerfile_job *j)
{
	return (unsigned)(j->stage->end - (size_t)(j->stage->from - j->d->inst));
}

/* @line need not end where its first line does. */
static void dockerfile_add_step(struct dockerfile_job *j, const char *line, bool own)
{
	struct dockerfile_lowered *out = j->out;
	int n = (int)strcspn(line, "\n");
	size_t size = j->inst->args.size;
	struct dockerfile_step *step;

	out->steps = xrealloc(out->steps, (out->n_steps + 1) * sizeof(*out->steps));
	step = &out->steps[out->n_steps++];
	*step = (struct dockerfile_step){ .stage = out->n_lowered_stages,
					  .user_stage = out->n_stages,
					  .line = j->inst->line };
	if (*line)
		step->lowered =
			xasprintf("%.*s", n < DOCKERFILE_KNOWN ? n : DOCKERFILE_KNOWN, line);
	if (size > DOCKERFILE_SHOWN)
		size = DOCKERFILE_SHOWN;
	step->text = xasprintf("%s %.*s", j->inst->word, (int)size,
			       size ? (const char *)j->inst->args.data : "");
	if (own) {
		step->number = j->number;
		step->of = dockerfile_total(j);
	}
}

void dockerfile_put(struct dockerfile_job *j, const char *line, bool own)
{
	const char *next;

	dockerfile_break(&j->text, line);
	dockerfile_add_step(j, line, own);
	for (next = line; !own && (next = strchr(next, '\n'));)
		dockerfile_add_step(j, ++next, own);
}

int dockerfile_word_put(struct dockerfile_job *j, const char *text, size_t size, struct buf *to)
{
	struct dockerfile_reading reading = { &j->stages.work, j->escape, true, { 0 } };
	const char *why = dockerfile_expand(&j->stage->state.env, text, size, &reading, to);

	if (why)
		dockerfile_refuse(j, "%s: %s", j->inst->word, why);
	buf_free(&reading.say);
	if (why)
		return -1;
	if (memchr(to->size ? to->data : (const uint8_t *)"", '\n', to->size))
		return dockerfile_refuse(j, "%s: a value has a line break", j->inst->word);
	return 0;
}

int dockerfile_flag_put(struct dockerfile_job *j, const struct dockerfile_part *flag,
			struct buf *to)
{
	const char *equal = memchr(flag->text, '=', flag->size);

	if (!equal)
		return 0;
	return dockerfile_word_put(j, equal + 1, flag->size - (size_t)(equal + 1 - flag->text), to);
}

int dockerfile_flag_which(struct dockerfile_job *j, const struct dockerfile_part *flag,
			  const char *const *names, size_t n)
{
	const char *equal = memchr(flag->text, '=', flag->size);
	autofree char *name = xasprintf(
		"%.*s", (int)(equal ? (size_t)(equal - flag->text) : flag->size), flag->text);
	const char *like;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return (int)i;
	like = dockerfile_similar(name, names, n);
	return dockerfile_refuse(j, "%s has no flag %.40s%s%s%s", j->inst->word, name,
				 like ? " (do you mean " : "", like ? like : "", like ? "?)" : "");
}

int dockerfile_truth(struct dockerfile_job *j, const char *name, const char *text, bool *to)
{
	static const char *const words[][5] = { { "0", "f", "false", "F", "FALSE" },
						{ "1", "t", "true", "T", "TRUE" } };

	*to = true;
	if (!*text)
		return 0;
	for (size_t yes = 0; yes < 2; yes++)
		for (size_t i = 0; i < ARRAY_SIZE(words[0]); i++)
			if (!strcasecmp(text, words[yes][i])) {
				*to = yes;
				return 0;
			}
	return dockerfile_refuse(j, "%s %s takes true or false", j->inst->word, name);
}

/* Append the parts of a path, each behind a '/'. ".." takes the last one away. */
static void dockerfile_clean(const char *text, struct buf *to)
{
	while (*text) {
		size_t n = strcspn(text, "/");

		if (n == 2 && !memcmp(text, "..", 2)) {
			while (to->size && to->data[--to->size] != '/')
				;
		} else if (n && !(n == 1 && *text == '.')) {
			buf_adds(to, "/");
			buf_add(to, text, n);
		}
		text += n;
		text += *text == '/';
	}
}

void dockerfile_path(const char *workdir, const char *text, bool slash, struct buf *to)
{
	size_t n = strlen(text);
	bool ends = !n || text[n - 1] == '/' || (n == 1 && *text == '.') ||
		    (n > 1 && !strcmp(text + n - 2, "/."));

	if (*text != '/' && workdir)
		dockerfile_clean(workdir, to);
	dockerfile_clean(text, to);
	if (!to->size || (slash && ends))
		buf_adds(to, "/");
}

int dockerfile_array(struct dockerfile_job *j, const char *text, json_t **array)
{
	size_t i;
	json_t *each;

	*array = *text == '[' ? json_loads(text, 0, NULL) : NULL;
	if (!json_is_array(*array)) {
		json_decref(*array);
		*array = NULL;
		return 0;
	}
	json_array_foreach(*array, i, each) if (!json_is_string(each))
	{
		json_decref(*array);
		*array = NULL;
		return dockerfile_refuse(j, "%s: an array may hold strings only", j->inst->word);
	}
	return 0;
}

void dockerfile_shell_put(const struct dockerfile_job *j, const char *command, struct buf *to)
{
	const json_t *shell = j->stage->state.shell;

	buf_adds(to, "[");
	if (!shell)
		buf_adds(to, "\"/bin/sh\",\"-c\",");
	for (size_t i = 0; i < json_array_size(shell); i++) {
		dockerfile_json(to, json_string_value(json_array_get(shell, i)));
		buf_adds(to, ",");
	}
	dockerfile_json(to, command);
	buf_adds(to, "]");
}

const char *dockerfile_from(struct dockerfile_job *j, const char *name)
{
	const struct dockerfile_stage *stage =
		dockerfile_stage_find(&j->stages, name, (size_t)(j->stage - j->stages.v));
	const struct dockerfile_base *base;

	if (stage)
		return stage->builder;
	if (strchr(name, '$')) {
		dockerfile_refuse(j, "--from takes no variables; name a stage whose FROM has them");
		return NULL;
	}
	base = name[strspn(name, "0123456789")] ? j->how->base(j->how->arg, name) : NULL;
	if (base)
		return base->image;
	err_set(j->e, ERR_NOT_FOUND, "Dockerfile:%d: the image '%s' is not known.", j->inst->line,
		name);
	return NULL;
}

const char *dockerfile_mount_from(struct dockerfile_job *j, const char *name)
{
	struct dockerfile_stage *stage =
		dockerfile_stage_find(&j->stages, name, (size_t)(j->stage - j->stages.v));

	if (!stage)
		return dockerfile_from(j, name);
	stage->mounted = true;
	return stage->tree;
}

const char *dockerfile_own(struct dockerfile_job *j, const char *path)
{
	const char *hash = j->how->content ? j->how->content(j->how->arg, path) : "";
	struct dockerfile_lowered *out = j->out;
	autofree char *name = xasprintf(DOCKERFILE_OWN "%.32s", hash);

	for (size_t i = 0; i < out->n_own; i++)
		if (!strcmp(out->own[i], name))
			return out->own[i];
	out->own = xrealloc(out->own, (out->n_own + 1) * sizeof(*out->own));
	out->own[out->n_own] = name;
	name = NULL;
	return out->own[out->n_own++];
}

/* The name is the hash of the content, so that the layer cache sees a change. */
const char *dockerfile_add_file(struct dockerfile_job *j, struct buf *data, const char *name,
				bool script)
{
	struct dockerfile_lowered *out = j->out;
	char hex[65];
	struct dockerfile_file *f;

	sha256_hex(data->data, data->size, hex);
	out->files = xrealloc(out->files, (out->n_files + 1) * sizeof(*out->files));
	f = &out->files[out->n_files++];
	*f = (struct dockerfile_file){ .script = script, .data = *data };
	f->path = xasprintf("%s/%s", hex, name);
	*data = (struct buf){ 0 };
	return f->path;
}

void dockerfile_heredoc_body(const struct dockerfile_heredoc *h, struct buf *to)
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
