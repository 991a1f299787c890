/* dockerfile_copy.c - COPY and ADD: flags, sources, heredocs. */

#include "wire/dockerfile_copy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int dockerfile_copy_text(struct dockerfile_copy *c, const struct dockerfile_part *flag,
				char **to)
{
	autobuf struct buf value = { 0 };

	if (dockerfile_flag_put(c->job, flag, &value))
		return -1;
	free(*to);
	*to = xstrdup(buf_str(&value));
	return 0;
}

static int dockerfile_copy_from(struct dockerfile_copy *c, const struct dockerfile_part *flag)
{
	autobuf struct buf value = { 0 };

	dockerfile_flag_value(flag, &value);
	if (!value.size)
		return dockerfile_refuse(c->job, "--from without a name");
	free(c->from);
	c->from = xstrdup(buf_str(&value));
	return 0;
}

static int dockerfile_copy_truth(struct dockerfile_copy *c, const struct dockerfile_part *flag,
				 const char *name, bool *to)
{
	autobuf struct buf value = { 0 };

	if (dockerfile_flag_put(c->job, flag, &value))
		return -1;
	return dockerfile_truth(c->job, name, buf_str(&value), to);
}

static int dockerfile_copy_exclude(struct dockerfile_copy *c, const struct dockerfile_part *flag)
{
	autobuf struct buf value = { 0 };

	if (dockerfile_flag_put(c->job, flag, &value))
		return -1;
	if (json_array_append_new(c->exclude, json_stringn((const char *)value.data, value.size)))
		return dockerfile_refuse(c->job, "--exclude: a pattern is not UTF-8");
	return 0;
}

static int dockerfile_copy_flag(struct dockerfile_copy *c, const struct dockerfile_part *flag)
{
	static const char *const names[] = { "--chown",    "--chmod",        "--link",
					     "--exclude",  "--from",         "--parents",
					     "--checksum", "--keep-git-dir", "--unpack" };
	static const char *const add[] = { "--chown",    "--chmod",        "--link",  "--exclude",
					   "--checksum", "--keep-git-dir", "--unpack" };
	bool is_add = !strcmp(c->job->inst->word, "ADD"), link;
	int which = is_add ? dockerfile_flag_which(c->job, flag, add, ARRAY_SIZE(add))
			   : dockerfile_flag_which(c->job, flag, names, 6);

	if (which < 0)
		return -1;
	if (is_add && which > 3)
		which += 2;
	switch (which) {
	case 0:
		return dockerfile_copy_text(c, flag, &c->chown);
	case 1:
		return dockerfile_copy_text(c, flag, &c->chmod);
	case 2: /* It says how layers are made, not what is in them. */
		return dockerfile_copy_truth(c, flag, "--link", &link);
	case 3:
		return dockerfile_copy_exclude(c, flag);
	case 4:
		return dockerfile_copy_from(c, flag);
	case 5:
		return dockerfile_copy_truth(c, flag, "--parents", &c->parents);
	case 6:
		return dockerfile_copy_text(c, flag, &c->checksum);
	case 7:
		return dockerfile_copy_truth(c, flag, "--keep-git-dir", &c->keep_git_dir);
	default:
		c->unpack_set = true;
		return dockerfile_copy_truth(c, flag, "--unpack", &c->unpack);
	}
}

static int dockerfile_copy_source(struct dockerfile_copy *c, const char *text, size_t size)
{
	autobuf struct buf value = { 0 };

	if (dockerfile_word_put(c->job, text, size, &value))
		return -1;
	if (json_array_append_new(c->sources, json_stringn((const char *)value.data, value.size)))
		return dockerfile_refuse(c->job, "%s: a name is not UTF-8", c->job->inst->word);
	return 0;
}

static int dockerfile_copy_target(struct dockerfile_copy *c, const char *text, size_t size)
{
	autobuf struct buf value = { 0 };

	if (dockerfile_word_put(c->job, text, size, &value))
		return -1;
	dockerfile_path(c->job->stage->state.workdir, buf_str(&value), true, &c->target);
	return 0;
}

static int dockerfile_copy_plain_words(struct dockerfile_copy *c)
{
	const struct dockerfile_parts *p = &c->parts;
	const struct dockerfile_part *last = p->n_words ? p->words + p->n_words - 1 : NULL;

	if (!last || p->n_words < 2 || last->heredoc)
		return dockerfile_refuse(c->job, "%s without a destination", c->job->inst->word);
	c->many = p->n_words > 2;
	for (const struct dockerfile_part *w = p->words; w < last; w++)
		if (!w->heredoc && dockerfile_copy_source(c, w->text, w->size))
			return -1;
	return dockerfile_copy_target(c, last->text, last->size);
}

static int dockerfile_copy_words(struct dockerfile_copy *c)
{
	json_t *array;
	size_t n;
	int rc;

	if (dockerfile_array(c->job, c->parts.rest, &array))
		return -1;
	if (!array)
		return dockerfile_copy_plain_words(c);
	n = json_array_size(array);
	c->many = n > 2;
	rc = n < 2 ? dockerfile_refuse(c->job, "%s without a destination", c->job->inst->word) : 0;
	for (size_t i = 0; !rc && i < n; i++) {
		const char *text = json_string_value(json_array_get(array, i));

		rc = i + 1 < n ? dockerfile_copy_source(c, text, strlen(text))
			       : dockerfile_copy_target(c, text, strlen(text));
	}
	json_decref(array);
	return rc;
}

static int dockerfile_copy_check(struct dockerfile_copy *c)
{
	const char *target = buf_str(&c->target), *mode = c->chmod;

	if (c->many && target[strlen(target) - 1] != '/')
		return dockerfile_refuse(c->job,
					 "%s of more than one source needs a destination that ends "
					 "with /",
					 c->job->inst->word);
	if (mode && *mode >= '0' && *mode <= '9' &&
	    (mode[strspn(mode, "01234567")] || strtoul(mode, NULL, 8) > 07777))
		return dockerfile_refuse(c->job, "--chmod=%.40s is neither octal nor symbolic",
					 mode);
	if (c->checksum && (json_array_size(c->sources) != 1 || c->many))
		return dockerfile_refuse(c->job, "--checksum is for one source");
	return 0;
}

/* The flags on which builders agree. */
static void dockerfile_copy_put_flags(const struct dockerfile_copy *c, const char *from,
				      struct buf *to)
{
	if (from)
		buf_addf(to, "--from=%s ", from);
	if (c->chown) {
		buf_adds(to, "--chown=");
		dockerfile_quote(to, c->chown);
		buf_adds(to, " ");
	}
	if (c->chmod)
		buf_addf(to, "--chmod=%s ", c->chmod);
}

/* The builder expands the strings of an array once more. */
static void dockerfile_copy_put_word(struct buf *to, const char *text)
{
	autobuf struct buf quoted = { 0 };

	dockerfile_quote(&quoted, text);
	buf_adds(to, to->size ? "," : "");
	dockerfile_json(to, buf_str(&quoted));
}

static void dockerfile_copy_put(struct dockerfile_copy *c, const char *word, const char *from,
				struct buf *words, bool own)
{
	autobuf struct buf line = { 0 };

	dockerfile_copy_put_word(words, buf_str(&c->target));
	buf_addf(&line, "%s ", word);
	dockerfile_copy_put_flags(c, from, &line);
	buf_addf(&line, "[%s]", buf_str(words));
	dockerfile_put(c->job, buf_str(&line), own);
}

/* Sources of the context or of --from. ".." does not leave them. */
static int dockerfile_copy_put_plain(struct dockerfile_copy *c)
{
	const char *word = c->job->inst->word, *from = NULL;
	autobuf struct buf words = { 0 };
	bool is_add = !strcmp(word, "ADD");

	for (size_t i = 0; i < json_array_size(c->sources); i++) {
		const char *source = json_string_value(json_array_get(c->sources, i));
		autobuf struct buf path = { 0 };

		if (is_add && (dockerfile_is_url(source) || dockerfile_is_git(source)))
			continue;
		if (dockerfile_is_url(source))
			return dockerfile_refuse(c->job, "COPY takes no URL; ADD does");
		dockerfile_path(NULL, source, true, &path);
		dockerfile_copy_put_word(&words, buf_str(&path));
	}
	if (!words.size)
		return 0;
	if (c->checksum)
		return dockerfile_refuse(c->job, "--checksum is for URLs and git repositories");
	if (c->from) {
		from = dockerfile_from(c->job, c->from);
		if (!from)
			return -1;
	}
	dockerfile_copy_put(c, is_add && (!c->unpack_set || c->unpack) ? "ADD" : "COPY", from,
			    &words, true);
	return 0;
}

static int dockerfile_copy_put_fetched(struct dockerfile_copy *c)
{
	autobuf struct buf words = { 0 };

	for (size_t i = 0; i < json_array_size(c->sources); i++) {
		const char *source = json_string_value(json_array_get(c->sources, i));
		autobuf struct buf path = { 0 };

		if (!dockerfile_is_url(source) && !dockerfile_is_git(source))
			continue;
		if (dockerfile_fetch(c, source, &path))
			return -1;
		dockerfile_copy_put_word(&words, buf_str(&path));
	}
	if (words.size)
		dockerfile_copy_put(c, "COPY", DOCKERFILE_FETCHED, &words, true);
	return 0;
}

const char *dockerfile_copy_document(struct dockerfile_copy *c, const struct dockerfile_heredoc *h)
{
	struct dockerfile_job *j = c->job;
	autobuf struct buf body = { 0 }, data = { 0 };
	struct dockerfile_reading reading = { &j->stages.work, '\\', false, { 0 } };
	const char *why = NULL;

	dockerfile_heredoc_body(h, &body);
	if (h->quoted)
		buf_add(&data, body.data, body.size);
	else
		why = dockerfile_expand(&j->stage->state.env, (const char *)body.data, body.size,
					&reading, &data);
	if (why)
		dockerfile_refuse(j, "the heredoc %s: %s", h->name, why);
	buf_free(&reading.say);
	return why ? NULL : dockerfile_add_file(j, &data, h->name, false);
}

/* All documents are copied from the context of heredocs by one COPY. */
static int dockerfile_copy_put_documents(struct dockerfile_copy *c)
{
	autobuf struct buf words = { 0 };

	for (size_t i = 0; i < c->parts.n_words; i++) {
		const char *path = "";

		if (c->parts.words[i].heredoc)
			path = dockerfile_copy_document(c, c->parts.words[i].heredoc);
		if (!path)
			return -1;
		if (*path)
			dockerfile_copy_put_word(&words, path);
	}
	if (words.size)
		dockerfile_copy_put(c, "COPY", DOCKERFILE_CONTEXT, &words, true);
	return 0;
}

static int dockerfile_copy_lower(struct dockerfile_copy *c)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < c->parts.n_flags; i++)
		rc = dockerfile_copy_flag(c, &c->parts.flags[i]);
	if (rc || dockerfile_copy_words(c) || dockerfile_copy_check(c))
		return -1;
	dockerfile_need_workdir(c->job, buf_str(&c->target));
	if (dockerfile_copy_is_special(c))
		return dockerfile_copy_special(c);
	return dockerfile_copy_look(c) || dockerfile_copy_put_plain(c) ||
			       dockerfile_copy_put_fetched(c) || dockerfile_copy_put_documents(c)
		       ? -1
		       : 0;
}

int dockerfile_lower_copy(struct dockerfile_job *j)
{
	struct dockerfile_copy c = { .job = j, .exclude = json_array(), .sources = json_array() };
	int rc;

	dockerfile_parts_read(&c.parts, j->inst, j->escape);
	rc = dockerfile_copy_lower(&c);
	dockerfile_parts_free(&c.parts);
	free(c.from);
	free(c.chown);
	free(c.chmod);
	free(c.checksum);
	json_decref(c.exclude);
	json_decref(c.sources);
	buf_free(&c.target);
	return rc;
}
