/* dockerfile.c - reads lines and makes instructions of them. */

#include "wire/dockerfile.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "wire/dockerfile_parts.h"

struct dockerfile_reader {
	const char *at, *end;
	int line; /* number of the line read last */
	struct dockerfile *d;
	struct err *e;
};

struct dockerfile_line {
	const char *text;
	size_t size; /* without the newline and a carriage return */
};

static bool dockerfile_line(struct dockerfile_reader *r, struct dockerfile_line *l)
{
	const char *newline;

	if (r->at == r->end)
		return false;
	newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
	l->text = r->at;
	l->size = (size_t)((newline ? newline : r->end) - r->at);
	r->at = newline ? newline + 1 : r->end;
	if (l->size && l->text[l->size - 1] == '\r')
		l->size--;
	r->line++;
	return true;
}

static size_t dockerfile_indent(const struct dockerfile_line *l)
{
	size_t i = 0;

	while (i < l->size && (l->text[i] == ' ' || l->text[i] == '\t'))
		i++;
	return i;
}

/* Returns the name of "# name = value" in @name, and what stands behind the '='. */
static const char *dockerfile_directive(const struct dockerfile_line *l, char *name, size_t room,
					size_t *size)
{
	size_t i = dockerfile_indent(l), n = 0;

	if (i == l->size || l->text[i++] != '#')
		return NULL;
	while (i < l->size && (l->text[i] == ' ' || l->text[i] == '\t'))
		i++;
	for (; i < l->size && isalnum((unsigned char)l->text[i]) && n + 1 < room; i++)
		name[n++] = l->text[i];
	name[n] = '\0';
	while (i < l->size && (l->text[i] == ' ' || l->text[i] == '\t'))
		i++;
	if (!n || i == l->size || l->text[i++] != '=')
		return NULL;
	while (i < l->size && (l->text[i] == ' ' || l->text[i] == '\t'))
		i++;
	*size = l->size - i;
	return l->text + i;
}

/* Read parser directives such as "# escape=`", which must come before anything else. "syntax" names
 * a front end and "check" its advice; both are BuildKit's own affair. */
static int dockerfile_directives(struct dockerfile_reader *r)
{
	static const char *const others[] = { "syntax", "check" };
	struct dockerfile_reader ahead = *r;
	struct dockerfile_line l;
	char name[16];

	while (dockerfile_line(&ahead, &l)) {
		size_t size;
		const char *value = dockerfile_directive(&l, name, sizeof(name), &size);
		bool other = false;

		for (size_t i = 0; value && i < ARRAY_SIZE(others); i++)
			other = other || !strcasecmp(name, others[i]);
		if (!value || (!other && strcasecmp(name, "escape") != 0))
			return 0;
		if (other)
			continue;
		while (size && (value[size - 1] == ' ' || value[size - 1] == '\t'))
			size--;
		if (size != 1 || (*value != '`' && *value != '\\'))
			return err_set(r->e, ERR_INVALID,
				       "Dockerfile:%d: the escape character can be \\ or ` only.",
				       ahead.line);
		r->d->escape = *value;
	}
	return 0;
}

/* True if the line ends in one escape character, blanks apart, so that the instruction continues on
 * the next one.  *keep is the length of the text before it. */
static bool dockerfile_continues(const struct dockerfile_line *l, char escape, size_t *keep)
{
	size_t n = l->size;

	while (n && (l->text[n - 1] == ' ' || l->text[n - 1] == '\t'))
		n--;
	if (!n || l->text[n - 1] != escape || (n > 1 && l->text[n - 2] == escape))
		return false;
	*keep = n - 1;
	return true;
}

static int dockerfile_read_heredoc(struct dockerfile_reader *r, struct dockerfile_heredoc *h)
{
	struct dockerfile_line l;
	int begin = r->line;

	while (dockerfile_line(r, &l)) {
		const char *text = l.text;
		size_t size = l.size;

		while (h->strip && size && *text == '\t') {
			text++;
			size--;
		}
		if (size == strlen(h->name) && !memcmp(text, h->name, size))
			return 0;
		buf_add(&h->body, l.text, l.size);
		buf_add(&h->body, "\n", 1);
	}
	return err_set(r->e, ERR_INVALID,
		       "Dockerfile:%d: nothing ends the heredoc that begins here.", begin);
}

/* Is this word "<<NAME", "<<-NAME" or "<<'NAME'"?  The number of a descriptor may precede it, and
 * blanks may stand before the name; *size then grows to its end. */
static bool dockerfile_heredoc_word(const char *word, size_t *size, char escape,
				    struct dockerfile_heredoc *h)
{
	autobuf struct buf name = { 0 };
	size_t i = 0, next;

	while (i < *size && isdigit((unsigned char)word[i]))
		i++;
	if (*size - i < 2 || word[i] != '<' || word[i + 1] != '<')
		return false;
	i += 2;
	h->strip = i < *size && word[i] == '-';
	i += h->strip;
	if (i == *size) {
		next = i;
		*size = dockerfile_word(word, &next, escape) + next;
		i = next;
	}
	h->quoted = i < *size && (word[i] == '"' || word[i] == '\'');
	dockerfile_unquote(word + i, *size - i, &name);
	if (!name.size || isdigit(name.data[0]) || name.data[0] == '.' || name.data[0] == '-')
		return false; /* "1 <<2" is arithmetic. */
	for (size_t n = 0; n < name.size; n++)
		if (!isalnum(name.data[n]) && !strchr("_.-", name.data[n]))
			return false;
	h->name = xstrdup(buf_str(&name));
	return true;
}

/* An ONBUILD has the heredocs of the instruction that it keeps. */
static bool dockerfile_may_have_heredocs(const struct dockerfile_inst *inst, const char *args)
{
	static const char *const words[] = { "RUN", "COPY", "ADD" };
	bool onbuild = !strcmp(inst->word, "ONBUILD");
	const char *word = onbuild ? args : inst->word;
	size_t n = strcspn(word, " \t");

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (n == strlen(words[i]) && !strncasecmp(word, words[i], n))
			return true;
	return false;
}

static int dockerfile_heredocs(struct dockerfile_reader *r, struct dockerfile_inst *inst)
{
	const char *args = buf_str(&inst->args);
	size_t at = 0, n;

	if (!dockerfile_may_have_heredocs(inst, args))
		return 0;
	for (; (n = dockerfile_word(args, &at, r->d->escape)); at += n) {
		size_t size = n;
		struct dockerfile_heredoc h = { .at = at };

		if (!dockerfile_heredoc_word(args + at, &size, r->d->escape, &h))
			continue;
		h.size = n = size;
		inst->heredocs =
			xrealloc(inst->heredocs, (inst->n_heredocs + 1) * sizeof(*inst->heredocs));
		inst->heredocs[inst->n_heredocs++] = h;
		if (inst->n_heredocs > DOCKERFILE_HEREDOCS)
			return err_set(r->e, ERR_INVALID, "Dockerfile:%d: too many heredocs.",
				       inst->line);
	}
	for (size_t i = 0; i < inst->n_heredocs; i++)
		if (dockerfile_read_heredoc(r, &inst->heredocs[i]))
			return -1;
	return 0;
}

/* Join the lines of one instruction.  Comments and empty lines between them are left out. */
static void dockerfile_join(struct dockerfile_reader *r, struct dockerfile_line l,
			    struct dockerfile_inst *inst)
{
	size_t keep = l.size;
	bool more = true;

	for (bool first = true; more; first = false) {
		size_t indent = dockerfile_indent(&l);
		bool comment = indent < l.size && l.text[indent] == '#';

		if (!first && (comment || indent == l.size)) {
			more = dockerfile_line(r, &l);
			continue;
		}
		keep = l.size;
		more = dockerfile_continues(&l, r->d->escape, &keep);
		buf_add(&inst->args, l.text, keep);
		if (inst->text.size)
			buf_add(&inst->text, "\n", 1);
		buf_add(&inst->text, l.text, l.size);
		more = more && dockerfile_line(r, &l);
	}
}

static const char *const dockerfile_words[] = {
	"ADD",    "ARG",        "CMD",         "COPY",   "ENTRYPOINT", "ENV",
	"EXPOSE", "FROM",       "HEALTHCHECK", "LABEL",  "ONBUILD",    "RUN",
	"SHELL",  "STOPSIGNAL", "USER",        "VOLUME", "WORKDIR",    "MAINTAINER",
};

bool dockerfile_upper(char *word)
{
	for (char *c = word; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	for (size_t i = 0; i < ARRAY_SIZE(dockerfile_words); i++)
		if (!strcmp(word, dockerfile_words[i]))
			return true;
	return false;
}

static int dockerfile_unknown(struct dockerfile_reader *r, int line, const char *word, size_t size)
{
	autofree char *text = xasprintf("%.*s", (int)(size < 40 ? size : 40), word);
	const char *like = dockerfile_similar(text, dockerfile_words, ARRAY_SIZE(dockerfile_words));

	return err_set(r->e, ERR_INVALID, "Dockerfile:%d: no such instruction: %s%s%s%s.", line,
		       text, like ? " (do you mean " : "", like ? like : "", like ? "?)" : "");
}

static void dockerfile_trim_end(struct buf *b)
{
	while (b->size && (b->data[b->size - 1] == ' ' || b->data[b->size - 1] == '\t'))
		b->size--;
}

static int dockerfile_split_word(struct dockerfile_reader *r, struct dockerfile_inst *inst)
{
	const char *args = buf_str(&inst->args);
	size_t begin = strspn(args, " \t"), n = strcspn(args + begin, " \t");

	if (strlen(args) != inst->args.size)
		return err_set(r->e, ERR_INVALID, "Dockerfile:%d: a NUL byte.", inst->line);
	if (n < sizeof(inst->word))
		memcpy(inst->word, args + begin, n);
	if (n >= sizeof(inst->word) || !dockerfile_upper(inst->word))
		return dockerfile_unknown(r, inst->line, args + begin, n);
	n += begin;
	n += strspn(args + n, " \t");
	buf_drop(&inst->args, n);
	dockerfile_trim_end(&inst->args);
	if (!inst->args.size && !strchr("FCE", *inst->word)) /* FROM, CMD and ENTRYPOINT say it */
		return err_set(r->e, ERR_INVALID, "Dockerfile:%d: %s without an argument.",
			       inst->line, inst->word);
	return 0;
}

static int dockerfile_next(struct dockerfile_reader *r)
{
	struct dockerfile *d = r->d;
	struct dockerfile_line l;
	size_t indent;

	if (!dockerfile_line(r, &l))
		return 0;
	indent = dockerfile_indent(&l);
	if (indent == l.size || l.text[indent] == '#')
		return 1;
	if (d->n == DOCKERFILE_MAX)
		return err_set(r->e, ERR_INVALID, "The Dockerfile has too many instructions.");
	d->inst = xrealloc(d->inst, (d->n + 1) * sizeof(*d->inst));
	d->inst[d->n] = (struct dockerfile_inst){ .line = r->line };
	d->n++;
	dockerfile_join(r, l, &d->inst[d->n - 1]);
	if (dockerfile_split_word(r, &d->inst[d->n - 1]) ||
	    dockerfile_heredocs(r, &d->inst[d->n - 1]))
		return -1;
	return 1;
}

struct dockerfile *dockerfile_parse(const char *text, size_t size, struct err *e)
{
	struct dockerfile *d = xcalloc(1, sizeof(*d));
	struct dockerfile_reader r = { text, text + size, 0, d, e };
	bool from = false;
	int rc = 1;

	d->escape = '\\';
	if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		r.at += 3;
	if (size > LIMIT_DOCKERFILE)
		rc = err_set(e, ERR_INVALID, "The Dockerfile is longer than %llu KiB.",
			     LIMIT_DOCKERFILE / KIB);
	else if (dockerfile_directives(&r))
		rc = -1;
	while (rc == 1)
		rc = dockerfile_next(&r);
	for (size_t i = 0; i < d->n; i++)
		from = from || !strcmp(d->inst[i].word, "FROM");
	if (!rc && !from)
		rc = err_set(e, ERR_INVALID, "The Dockerfile has no FROM.");
	if (!rc)
		return d;
	dockerfile_free(d);
	return NULL;
}

void dockerfile_free(struct dockerfile *d)
{
	for (size_t i = 0; d && i < d->n; i++) {
		struct dockerfile_inst *inst = &d->inst[i];

		for (size_t h = 0; h < inst->n_heredocs; h++) {
			free(inst->heredocs[h].name);
			buf_free(&inst->heredocs[h].body);
		}
		free(inst->heredocs);
		buf_free(&inst->text);
		buf_free(&inst->args);
	}
	if (d)
		free(d->inst);
	free(d);
}
