/* dockerfile_parts.c - the flags, words and heredocs of an instruction. */

#include "wire/dockerfile_parts.h"

#include <stdlib.h>
#include <string.h>

static const struct dockerfile_heredoc *dockerfile_heredoc_at(const struct dockerfile_inst *inst,
							      size_t at)
{
	for (size_t i = 0; i < inst->n_heredocs; i++)
		if (inst->heredocs[i].at == at)
			return &inst->heredocs[i];
	return NULL;
}

void dockerfile_parts_read(struct dockerfile_parts *p, const struct dockerfile_inst *inst,
			   char escape)
{
	size_t at = 0, n = 0, room = 0, size;
	const char *args;

	*p = (struct dockerfile_parts){ .inst = inst };
	buf_add(&p->args, inst->args.data, inst->args.size);
	args = buf_str(&p->args);
	p->rest = args + p->args.size;
	for (; (size = dockerfile_word(args, &at, escape)); at += size) {
		const struct dockerfile_heredoc *heredoc = dockerfile_heredoc_at(inst, at);

		if (heredoc) /* blanks may stand before its name */
			size = heredoc->size;
		if (n == room) {
			room = room ? 2 * room : 16;
			p->flags = xrealloc(p->flags, room * sizeof(*p->flags));
		}
		p->flags[n] = (struct dockerfile_part){ args + at, size, heredoc };
		if (p->n_flags == n && size >= 2 && !memcmp(args + at, "--", 2))
			p->n_flags++;
		else if (p->n_flags == n)
			p->rest = args + at;
		n++;
	}
	p->words = p->flags + p->n_flags;
	p->n_words = n - p->n_flags;
}

void dockerfile_parts_free(struct dockerfile_parts *p)
{
	free(p->flags);
	buf_free(&p->args);
}

bool dockerfile_flag_is(const struct dockerfile_part *flag, const char *name)
{
	size_t size = strlen(name);

	return flag->size >= size && !memcmp(flag->text, name, size) &&
	       (flag->size == size || flag->text[size] == '=');
}

void dockerfile_unquote(const char *text, size_t size, struct buf *to)
{
	char quote = 0;

	for (size_t i = 0; i < size; i++) {
		if (quote ? text[i] == quote : text[i] == '"' || text[i] == '\'')
			quote = quote ? 0 : text[i];
		else
			buf_add(to, text + i, 1);
	}
}

void dockerfile_flag_value(const struct dockerfile_part *flag, struct buf *to)
{
	const char *equal = memchr(flag->text, '=', flag->size);

	if (equal)
		dockerfile_unquote(equal + 1, flag->size - (size_t)(equal + 1 - flag->text), to);
}
