/* dockerfile_stage.c - finds the stages, and what each of them needs. */

#include "wire/dockerfile_stage.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wire/dockerfile.h"

#define DOCKERFILE_VALUE (64 * KIB) /* of one variable */

static int dockerfile_arg_one(struct dockerfile_vars *vars, struct dockerfile_vars *args,
			      struct dockerfile_stages *s, const struct dockerfile_inst *inst,
			      const char *word, size_t n, char escape, struct err *e)
{
	autobuf struct buf name = { 0 }, value = { 0 };
	const char *equal = memchr(word, '=', n), *text, *why;
	struct dockerfile_reading reading = { &s->work, escape, true, { 0 } };

	dockerfile_unquote(word, equal ? (size_t)(equal - word) : n, &name);
	if (!name.size)
		return err_set(e, ERR_INVALID, "Dockerfile:%d: ARG without a name.", inst->line);
	if (equal) {
		why = dockerfile_expand(vars, equal + 1, n - (size_t)(equal + 1 - word), &reading,
					&value);
		if (why)
			err_set(e, ERR_INVALID, "Dockerfile:%d: ARG: %s.", inst->line, why);
		buf_free(&reading.say);
		if (why)
			return -1;
		if (value.size > DOCKERFILE_VALUE)
			return err_set(e, ERR_INVALID, "Dockerfile:%d: ARG: the value is too long.",
				       inst->line);
	}
	text = equal ? buf_str(&value) : dockerfile_vars_get(&s->global, buf_str(&name));
	if (!text)
		return 0;
	dockerfile_vars_set(vars, buf_str(&name), text);
	if (args)
		dockerfile_vars_set(args, buf_str(&name), text);
	return 0;
}

int dockerfile_arg_read(struct dockerfile_vars *vars, struct dockerfile_vars *args,
			struct dockerfile_stages *s, const struct dockerfile_inst *inst,
			char escape, struct err *e)
{
	autobuf struct buf copy = { 0 };
	const char *text;
	size_t at = 0, n;

	buf_add(&copy, inst->args.data, inst->args.size);
	text = buf_str(&copy);
	for (; (n = dockerfile_word(text, &at, escape)); at += n)
		if (dockerfile_arg_one(vars, args, s, inst, text + at, n, escape, e))
			return -1;
	return 0;
}

static void dockerfile_platforms(struct dockerfile_vars *global, const char *arch)
{
	static const char *const sides[] = { "TARGET", "BUILD" };
	autofree char *platform = xasprintf("linux/%s", arch);
	const char *const parts[][2] = {
		{ "PLATFORM", platform },
		{ "OS", "linux" },
		{ "ARCH", arch },
		{ "VARIANT", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sides); i++)
		for (size_t n = 0; n < ARRAY_SIZE(parts); n++) {
			autofree char *name = xasprintf("%s%s", sides[i], parts[n][0]);

			dockerfile_vars_set(global, name, parts[n][1]);
		}
}

struct dockerfile_stage *dockerfile_stage_find(const struct dockerfile_stages *s, const char *name,
					       size_t end)
{
	char *rest;
	unsigned long number = strtoul(name, &rest, 10);

	for (size_t i = end; *name && i--;)
		if (!strcasecmp(buf_str(&s->v[i].name), name))
			return &s->v[i];
	if (isdigit((unsigned char)*name) && !*rest && number < end)
		return &s->v[number];
	return NULL;
}

static int dockerfile_from_word(struct dockerfile_stages *s, struct dockerfile_stage *stage,
				const char *word, size_t n, struct buf *to, struct err *e)
{
	struct dockerfile_reading reading = { &s->work, s->d->escape, true, { 0 } };
	const char *why = dockerfile_expand(&s->global, word, n, &reading, to);

	if (why)
		err_set(e, ERR_INVALID, "Dockerfile:%d: FROM: %s.", stage->from->line, why);
	buf_free(&reading.say);
	if (why)
		return -1;
	for (size_t i = 0; i < to->size; i++)
		if (!isalnum(to->data[i]) && !strchr("._-/:@", to->data[i]))
			return err_set(e, ERR_INVALID, "Dockerfile:%d: FROM with a malformed name.",
				       stage->from->line);
	return 0;
}

/* As BuildKit allows it: a number would be the stage of that number. */
static int dockerfile_stage_name_is(struct dockerfile_stage *stage, struct err *e)
{
	const char *name = buf_str(&stage->name);

	if (!*name || (*name >= 'a' && *name <= 'z' &&
		       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(name)))
		return 0;
	return err_set(e, ERR_INVALID,
		       "Dockerfile:%d: invalid name for build stage: \"%.80s\"; it begins with a "
		       "letter and has letters, digits, '-', '_' and '.'.",
		       stage->from->line, name);
}

static int dockerfile_from_read(struct dockerfile_stages *s, struct dockerfile_stage *stage,
				struct err *e)
{
	struct dockerfile_parts p;
	const struct dockerfile_part *w;
	int rc = 0;

	dockerfile_parts_read(&p, stage->from, s->d->escape);
	w = p.words;
	for (size_t i = 0; !rc && i < p.n_flags; i++)
		rc = dockerfile_flag_is(&p.flags[i], "--platform")
			     ? dockerfile_from_word(s, stage, p.flags[i].text + 11,
						    p.flags[i].size > 11 ? p.flags[i].size - 11 : 0,
						    &stage->platform, e)
			     : err_set(e, ERR_INVALID, "Dockerfile:%d: FROM does not know %.*s.",
				       stage->from->line, (int)p.flags[i].size, p.flags[i].text);
	if (!rc && p.n_words)
		rc = dockerfile_from_word(s, stage, w->text, w->size, &stage->image, e);
	if (!rc && p.n_words == 3 && w[1].size == 2 && !strncasecmp(w[1].text, "as", 2))
		rc = dockerfile_from_word(s, stage, w[2].text, w[2].size, &stage->name, e);
	else if (!rc && p.n_words > 1 && (p.n_words != 2 || strncasecmp(w[1].text, "as", 2) != 0))
		rc = err_set(e, ERR_INVALID, "Dockerfile:%d: FROM is not understood.",
			     stage->from->line);
	if (!rc &&
	    (!stage->image.size || (p.n_words == 2) || (p.n_words == 3 && !stage->name.size)))
		rc = err_set(e, ERR_INVALID, "Dockerfile:%d: FROM without a name.",
			     stage->from->line);
	for (char *c = buf_str(&stage->name); *c; c++)
		*c = (char)tolower((unsigned char)*c);
	dockerfile_parts_free(&p);
	return rc ? rc : dockerfile_stage_name_is(stage, e);
}

static int dockerfile_stage_add(struct dockerfile_stages *s, const struct dockerfile_inst *from,
				struct err *e)
{
	struct dockerfile_stage *stage;

	stage = &s->v[s->n++];
	*stage = (struct dockerfile_stage){ .from = from };
	if (dockerfile_from_read(s, stage, e))
		return -1;
	/* A number is an image here; only --from takes numbers. */
	if (!isdigit(*stage->image.data))
		stage->base = dockerfile_stage_find(s, buf_str(&stage->image), s->n - 1);
	return 0;
}

static bool dockerfile_mount_refs(const struct dockerfile_part *flag,
				  bool (*each)(void *arg, const char *name), void *arg)
{
	autobuf struct buf value = { 0 };
	char *rest, *field;

	dockerfile_flag_value(flag, &value);
	rest = buf_str(&value);
	while ((field = strsep(&rest, ",")))
		if (!strncasecmp(field, "from=", 5) && field[5] && !each(arg, field + 5))
			return false;
	return true;
}

bool dockerfile_refs(const struct dockerfile_inst *inst, char escape,
		     bool (*each)(void *arg, const char *name), void *arg)
{
	bool copy = !strcmp(inst->word, "COPY"), on = true;
	struct dockerfile_parts p;

	if (!copy && strcmp(inst->word, "RUN") != 0)
		return true;
	dockerfile_parts_read(&p, inst, escape);
	for (size_t i = 0; on && i < p.n_flags; i++) {
		if (copy && dockerfile_flag_is(&p.flags[i], "--from")) {
			autobuf struct buf name = { 0 };

			dockerfile_flag_value(&p.flags[i], &name);
			on = !name.size || each(arg, buf_str(&name));
		} else if (!copy && dockerfile_flag_is(&p.flags[i], "--mount")) {
			on = dockerfile_mount_refs(&p.flags[i], each, arg);
		}
	}
	dockerfile_parts_free(&p);
	return on;
}

void dockerfile_trigger_text(const struct dockerfile_inst *inst, struct buf *to)
{
	buf_add(to, inst->args.data, inst->args.size);
	for (size_t i = 0; i < inst->n_heredocs; i++) {
		const struct dockerfile_heredoc *h = &inst->heredocs[i];

		buf_adds(to, "\n");
		buf_add(to, h->body.data, h->body.size);
		buf_adds(to, h->name);
	}
}

struct dockerfile *dockerfile_trigger_parse(const char *text, char escape, int line, struct err *e)
{
	static const char *const never[] = { "FROM", "ONBUILD", "MAINTAINER" };
	autofree char *whole = xasprintf("# escape=%c\nFROM scratch\n%s\n", escape, text);
	struct dockerfile *d = dockerfile_parse(whole, strlen(whole), e);
	bool bad = !d || d->n != 2;

	for (size_t i = 0; !bad && i < ARRAY_SIZE(never); i++)
		bad = !strcmp(d->inst[1].word, never[i]);
	if (!bad) {
		d->inst[1].line = line;
		return d;
	}
	err_set(e, ERR_INVALID, "Dockerfile:%d: ONBUILD cannot keep this: %.200s", line, text);
	dockerfile_free(d);
	return NULL;
}

struct dockerfile_need {
	struct dockerfile_stages *s;
	size_t stage;
};

static bool dockerfile_need(void *arg, const char *name)
{
	struct dockerfile_need *n = arg;
	struct dockerfile_stage *stage = dockerfile_stage_find(n->s, name, n->stage);

	if (stage)
		stage->needed = true;
	return true;
}

/* What a trigger needs is built although only the stages on top of this one may use it. */
static int dockerfile_needs(struct dockerfile_stages *s, size_t at, struct err *e)
{
	struct dockerfile_stage *stage = &s->v[at];
	struct dockerfile_need need = { s, at };

	if (stage->base)
		stage->base->needed = true;
	for (size_t i = (size_t)(stage->from - s->d->inst) + 1; i < stage->end; i++) {
		const struct dockerfile_inst *inst = &s->d->inst[i];
		autobuf struct buf text = { 0 };
		struct dockerfile *trigger;

		dockerfile_refs(inst, s->d->escape, dockerfile_need, &need);
		if (strcmp(inst->word, "ONBUILD") != 0)
			continue;
		dockerfile_trigger_text(inst, &text);
		trigger = dockerfile_trigger_parse(buf_str(&text), s->d->escape, inst->line, e);
		if (!trigger)
			return -1;
		dockerfile_refs(&trigger->inst[1], s->d->escape, dockerfile_need, &need);
		dockerfile_free(trigger);
	}
	return 0;
}

int dockerfile_stages_read(struct dockerfile_stages *s, const struct dockerfile *d,
			   const char *arch, struct err *e)
{
	int rc = 0;

	*s = (struct dockerfile_stages){ .d = d, .v = xcalloc(d->n + 1, sizeof(*s->v)) };
	dockerfile_platforms(&s->global, arch);
	for (size_t i = 0; !rc && i < d->n; i++) {
		const struct dockerfile_inst *inst = &d->inst[i];

		if (!strcmp(inst->word, "FROM"))
			rc = dockerfile_stage_add(s, inst, e);
		else if (!s->n && strcmp(inst->word, "ARG") != 0)
			rc = err_set(e, ERR_INVALID,
				     "Dockerfile:%d: only ARG may stand before the first FROM.",
				     inst->line);
		else if (!s->n)
			rc = dockerfile_arg_read(&s->global, NULL, s, inst, d->escape, e);
		if (s->n)
			s->v[s->n - 1].end = i + 1;
	}
	if (!rc)
		s->v[s->n - 1].needed = true;
	for (size_t i = s->n; !rc && i--;)
		if (s->v[i].needed)
			rc = dockerfile_needs(s, i, e);
	if (rc)
		dockerfile_stages_free(s);
	return rc;
}

void dockerfile_state_copy(struct dockerfile_state *to, const struct dockerfile_state *from)
{
	*to = (struct dockerfile_state){ 0 };
	dockerfile_vars_copy(&to->env, &from->env);
	dockerfile_vars_copy(&to->args, &from->args);
	dockerfile_vars_copy(&to->volumes, &from->volumes);
	to->workdir = from->workdir ? xstrdup(from->workdir) : NULL;
	to->user = from->user ? xstrdup(from->user) : NULL;
	to->shell = json_incref(from->shell);
}

void dockerfile_state_free(struct dockerfile_state *s)
{
	dockerfile_vars_free(&s->env);
	dockerfile_vars_free(&s->args);
	dockerfile_vars_free(&s->volumes);
	dockerfile_vars_free(&s->triggers);
	free(s->workdir);
	free(s->user);
	json_decref(s->shell);
	*s = (struct dockerfile_state){ 0 };
}

void dockerfile_stages_free(struct dockerfile_stages *s)
{
	for (size_t i = 0; i < s->n; i++) {
		buf_free(&s->v[i].name);
		buf_free(&s->v[i].image);
		buf_free(&s->v[i].platform);
		dockerfile_state_free(&s->v[i].state);
	}
	free(s->v);
	dockerfile_vars_free(&s->global);
	*s = (struct dockerfile_stages){ 0 };
}
