/* dockerfile_word.c - words, the values of variables, and stages. */

#include "wire/dockerfile_word.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

size_t dockerfile_word(const char *text, size_t *at, char escape)
{
	size_t i = *at;
	char quote = 0;

	i += strspn(text + i, " \t");
	*at = i;
	for (; text[i] && (quote || !strchr(" \t", text[i])); i++) {
		if (text[i] == escape && text[i + 1] && quote != '\'')
			i++;
		else if (quote && text[i] == quote)
			quote = 0;
		else if (!quote && (text[i] == '"' || text[i] == '\''))
			quote = text[i];
	}
	return i - *at;
}

void dockerfile_vars_set(struct dockerfile_vars *v, const char *name, const char *value)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].name, name)) {
			free(v->v[i].value);
			v->v[i].value = xstrdup(value);
			return;
		}
	if (v->n == DOCKERFILE_MAX)
		return;
	v->v = xrealloc(v->v, (v->n + 1) * sizeof(*v->v));
	v->v[v->n++] = (struct dockerfile_var){ xstrdup(name), xstrdup(value) };
}

const char *dockerfile_vars_get(const struct dockerfile_vars *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].name, name))
			return v->v[i].value;
	return NULL;
}

void dockerfile_vars_free(struct dockerfile_vars *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->v[i].name);
		free(v->v[i].value);
	}
	free(v->v);
	*v = (struct dockerfile_vars){ 0 };
}

#define DOCKERFILE_VALUE \
	(64 * KIB) /* of a variable, so that one which names itself stops growing */

static void dockerfile_vars_put(struct dockerfile_vars *v, const char *name, size_t n,
				const char *value, size_t size, char escape)
{
	autobuf struct buf key = { 0 }, text = { 0 };

	buf_add(&key, name, n);
	(void)dockerfile_expand(v, value, size, escape, true,
				&text); /* The builder reports what is wrong. */
	if (text.size > DOCKERFILE_VALUE)
		text.size = DOCKERFILE_VALUE;
	dockerfile_vars_set(v, buf_str(&key), buf_str(&text));
}

void dockerfile_vars_read(struct dockerfile_vars *v, const struct dockerfile_vars *outer,
			  const struct dockerfile_inst *inst, char escape)
{
	autobuf struct buf copy = { 0 };
	const char *args;
	size_t at = 0, n;

	buf_add(&copy, inst->args.data, inst->args.size);
	args = buf_str(&copy);
	for (; (n = dockerfile_word(args, &at, escape)); at += n) {
		const char *word = args + at, *equal = memchr(word, '=', n);

		if (equal) {
			dockerfile_vars_put(v, word, (size_t)(equal - word), equal + 1,
					    n - (size_t)(equal - word) - 1, escape);
		} else if (!strcmp(inst->word, "ENV")) { /* "ENV name the rest of the line" */
			const char *rest = word + n + strspn(word + n, " \t");

			dockerfile_vars_put(v, word, n, rest, strlen(rest), escape);
			return;
		} else {
			autobuf struct buf name = { 0 };
			const char *value;

			buf_add(&name, word, n);
			value = outer ? dockerfile_vars_get(outer, buf_str(&name)) : NULL;
			if (value)
				dockerfile_vars_set(v, buf_str(&name), value);
		}
	}
}

void dockerfile_walk_begin(struct dockerfile_walk *w, const struct dockerfile *d, const char *arch)
{
	static const char *const sides[] = { "TARGET", "BUILD" };

	*w = (struct dockerfile_walk){ .d = d };
	for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
		autofree char *os = xasprintf("%sOS", sides[i]);
		autofree char *cpu = xasprintf("%sARCH", sides[i]);
		autofree char *both = xasprintf("%sPLATFORM", sides[i]);
		autofree char *value = xasprintf("linux/%s", arch);

		dockerfile_vars_set(&w->global, os, "linux");
		dockerfile_vars_set(&w->global, cpu, arch);
		dockerfile_vars_set(&w->global, both, value);
	}
}

void dockerfile_walk_end(struct dockerfile_walk *w)
{
	for (size_t i = 0; i < w->n_stages; i++)
		free(w->stages[i]);
	free(w->stages);
	dockerfile_vars_free(&w->global);
	dockerfile_vars_free(&w->stage);
}

void dockerfile_walk_note(struct dockerfile_walk *w, const struct dockerfile_inst *inst)
{
	struct dockerfile_from f = { 0 };
	struct err ignored;

	if (!strcmp(inst->word, "FROM")) {
		dockerfile_vars_free(&w->stage);
		if (dockerfile_from_read(w, inst, &f, &ignored))
			buf_clear(&f.stage);
		w->stages = xrealloc(w->stages, (w->n_stages + 1) * sizeof(*w->stages));
		w->stages[w->n_stages++] = xstrdup(buf_str(&f.stage));
		dockerfile_from_free(&f);
	} else if (!strcmp(inst->word, "ARG") && !w->n_stages) {
		dockerfile_vars_read(&w->global, NULL, inst, w->d->escape);
	} else if (!strcmp(inst->word, "ARG") || !strcmp(inst->word, "ENV")) {
		dockerfile_vars_read(&w->stage, &w->global, inst, w->d->escape);
	}
}

bool dockerfile_walk_stage(const struct dockerfile_walk *w, const char *name)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	if (isdigit((unsigned char)*name) && !*end)
		return number < w->n_stages;
	for (size_t i = 0; i < w->n_stages; i++)
		if (*name && !strcasecmp(w->stages[i], name))
			return true;
	return false;
}

int dockerfile_from_read(const struct dockerfile_walk *w, const struct dockerfile_inst *inst,
			 struct dockerfile_from *f, struct err *e)
{
	autobuf struct buf copy = { 0 };
	struct buf *next = &f->image;
	bool as = false;
	size_t at = 0, n;
	const char *args, *why = NULL;

	buf_add(&copy, inst->args.data, inst->args.size);
	args = buf_str(&copy);
	for (; !why && (n = dockerfile_word(args, &at, w->d->escape)); at += n) {
		const char *word = args + at;

		if (n > 11 && !memcmp(word, "--platform=", 11) && next == &f->image) {
			why = dockerfile_expand(&w->global, word + 11, n - 11, w->d->escape, true,
						&f->platform);
		} else if (next == &f->stage && !as && n == 2 && !strncasecmp(word, "as", 2)) {
			as = true;
		} else if (next == &f->image || (next == &f->stage && as && !next->size)) {
			why = dockerfile_expand(&w->global, word, n, w->d->escape, true, next);
			next = &f->stage;
		} else {
			return err_set(e, ERR_INVALID, "Dockerfile:%d: FROM is not understood.",
				       inst->line);
		}
	}
	if (why)
		return err_set(e, ERR_INVALID, "Dockerfile:%d: FROM: %s.", inst->line, why);
	if (!f->image.size || (as && !f->stage.size))
		return err_set(e, ERR_INVALID, "Dockerfile:%d: FROM without a name.", inst->line);
	for (size_t i = 0; i < f->image.size + f->stage.size; i++) {
		uint8_t c = i < f->image.size ? f->image.data[i] : f->stage.data[i - f->image.size];

		if (!isalnum(c) && !strchr("._-/:@", c))
			return err_set(e, ERR_INVALID, "Dockerfile:%d: FROM with a malformed name.",
				       inst->line);
	}
	return 0;
}

void dockerfile_from_free(struct dockerfile_from *f)
{
	buf_free(&f->platform);
	buf_free(&f->image);
	buf_free(&f->stage);
}

size_t dockerfile_flag_image(const char *flag, size_t size, size_t *at)
{
	size_t i = 0, n;

	if (size > 7 && !memcmp(flag, "--from=", 7)) {
		*at = 7;
		return size - 7;
	}
	if (size < 8 || memcmp(flag, "--mount=", 8) != 0)
		return 0;
	for (i = 8; i < size; i += n + 1) {
		const char *comma = memchr(flag + i, ',', size - i);

		n = comma ? (size_t)(comma - flag) - i : size - i;
		if (n > 5 && !memcmp(flag + i, "from=", 5)) {
			*at = i + 5;
			return n - 5;
		}
	}
	return 0;
}
