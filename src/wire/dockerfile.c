/* dockerfile.c - reads lines and makes instructions of them. */

#include "wire/dockerfile.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "wire/dockerfile_word.h"

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

/* Read parser directives such as "# escape=`", which must come before anything else. */
static void dockerfile_directives(struct dockerfile_reader *r)
{
	struct dockerfile_reader ahead = *r;
	struct dockerfile_line l;

	while (dockerfile_line(&ahead, &l)) {
		size_t i = dockerfile_indent(&l), n;

		if (i == l.size || l.text[i++] != '#')
			return;
		while (i < l.size && (l.text[i] == ' ' || l.text[i] == '\t'))
			i++;
		for (n = 0; i + n < l.size && isalpha((unsigned char)l.text[i + n]);)
			n++;
		if (n != 6 || strncasecmp(l.text + i, "escape", 6) != 0) {
			if (!n || !memchr(l.text + i, '=', l.size - i))
				return;
			continue;
		}
		for (i += n; i < l.size && strchr(" \t=", l.text[i]);)
			i++;
		if (i < l.size && (l.text[i] == '`' || l.text[i] == '\\'))
			r->d->escape = l.text[i];
	}
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

/* Is this word "<<NAME", "<<-NAME" or "<<'NAME'"?  The number of a descriptor may precede it. */
static bool dockerfile_heredoc_word(const char *word, size_t size, struct dockerfile_heredoc *h)
{
	struct dockerfile_vars none = { 0 };
	autobuf struct buf name = { 0 };
	size_t i = 0;

	while (i < size && isdigit((unsigned char)word[i]))
		i++;
	if (size - i < 3 || word[i] != '<' || word[i + 1] != '<')
		return false;
	i += 2;
	h->strip = word[i] == '-';
	i += h->strip;
	h->quoted = i < size && (word[i] == '"' || word[i] == '\'');
	if (dockerfile_expand(&none, word + i, size - i, '\\', true, &name) || !name.size)
		return false;
	for (size_t n = 0; n < name.size; n++)
		if (!isalnum(name.data[n]) && !strchr("_.-", name.data[n]))
			return false;
	if (isdigit(name.data[0]) || name.data[0] == '.' || name.data[0] == '-')
		return false; /* "1 <<2" is arithmetic. */
	h->name = xstrdup(buf_str(&name));
	return true;
}

static int dockerfile_heredocs(struct dockerfile_reader *r, struct dockerfile_inst *inst)
{
	const char *args = buf_str(&inst->args);
	size_t at = 0, n;

	if (strcmp(inst->word, "RUN") != 0 && strcmp(inst->word, "COPY") != 0 &&
	    strcmp(inst->word, "ADD") != 0)
		return 0;
	for (; (n = dockerfile_word(args, &at, r->d->escape)); at += n) {
		struct dockerfile_heredoc h = { .at = at, .size = n };

		if (!dockerfile_heredoc_word(args + at, n, &h))
			continue;
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

/* Returns false if the word holds anything but letters. */
static bool dockerfile_upper(char *word)
{
	for (; *word; word++) {
		if (*word >= 'a' && *word <= 'z')
			*word = (char)(*word - 'a' + 'A');
		if (*word < 'A' || *word > 'Z')
			return false;
	}
	return true;
}

static int dockerfile_split_word(struct dockerfile_reader *r, struct dockerfile_inst *inst)
{
	const char *args = buf_str(&inst->args);
	size_t begin = strspn(args, " \t"), n = strcspn(args + begin, " \t");

	if (strlen(args) != inst->args.size)
		return err_set(r->e, ERR_INVALID, "Dockerfile:%d: a NUL byte.", inst->line);
	if (n >= sizeof(inst->word))
		return err_set(r->e, ERR_INVALID, "Dockerfile:%d: no such instruction.",
			       inst->line);
	memcpy(inst->word, args + begin, n);
	if (!dockerfile_upper(inst->word))
		return err_set(r->e, ERR_INVALID, "Dockerfile:%d: no such instruction.",
			       inst->line);
	n += begin;
	n += strspn(args + n, " \t");
	buf_drop(&inst->args, n);
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
	else
		dockerfile_directives(&r);
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
