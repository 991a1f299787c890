#include "control/logs/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static int pattern_quoted(const char **at, struct buf *word, struct err *e)
{
	const char *s = *at + 1;

	for (; *s && *s != '"'; s++) {
		if (*s == '\\' && (s[1] == '"' || s[1] == '\\'))
			s++;
		buf_add(word, s, 1);
	}
	if (!*s)
		return err_set(e, ERR_INVALID,
			       "Invalid filter pattern: a quotation mark is not closed.");
	*at = s + 1;
	return 0;
}

static int pattern_word(struct log_pattern *p, const char **at, struct err *e)
{
	autobuf struct buf word = { 0 };
	struct log_word *w;
	enum log_word_kind how = WORD_MUST;

	if (**at == '-' || **at == '?')
		how = *(*at)++ == '-' ? WORD_NOT : WORD_MAY;
	if (**at == '"') {
		if (pattern_quoted(at, &word, e))
			return -1;
	} else {
		size_t size = strcspn(*at, " \t\n");

		if (size > 1 && **at == '%')
			return err_set(e, ERR_INVALID,
				       "Invalid filter pattern: regular expressions are not "
				       "supported by this server; use words.");
		buf_add(&word, *at, size);
		*at += size;
	}
	if (!word.size)
		return err_set(e, ERR_INVALID, "Invalid filter pattern: a word is empty.");
	p->words = xrealloc(p->words, (p->n + 1) * sizeof(*p->words));
	w = &p->words[p->n++];
	w->size = word.size;
	w->text = xstrdup(buf_str(&word));
	w->how = how;
	return 0;
}

int log_pattern_read(struct log_pattern *p, const char *text, struct err *e)
{
	*p = (struct log_pattern){ 0 };
	text += strspn(text, " \t\n");
	if (*text == '[')
		return err_set(e, ERR_INVALID,
			       "Invalid filter pattern: patterns of fields between blanks are not "
			       "supported by this server; use words.");
	if (*text == '{') {
		p->json = pattern_json_read(text, e);
		return p->json ? 0 : -1;
	}
	while (*text) {
		if (pattern_word(p, &text, e)) {
			log_pattern_free(p);
			return -1;
		}
		text += strspn(text, " \t\n");
	}
	return 0;
}

void log_pattern_free(struct log_pattern *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->words[i].text);
	free(p->words);
	pattern_json_free(p->json);
	*p = (struct log_pattern){ 0 };
}

static bool pattern_words_match(const struct log_pattern *p, const char *line, size_t size)
{
	bool may = false, others = false;

	for (size_t i = 0; i < p->n; i++) {
		const struct log_word *w = &p->words[i];
		bool there = memmem(line, size, w->text, w->size);

		if (w->how != WORD_MAY && there != (w->how == WORD_MUST))
			return false;
		others |= w->how != WORD_MAY;
		may |= w->how == WORD_MAY && there;
	}
	return others || may || !p->n;
}

bool log_pattern_matches(const struct log_pattern *p, const char *line, size_t size)
{
	json_t *json;
	bool matches;

	if (!p->json)
		return pattern_words_match(p, line, size);
	if (!size || !memchr(line, '{', size))
		return false;
	json = json_loadb(line, size, JSON_ALLOW_NUL, NULL);
	matches = json && pattern_json_matches(p->json, json);
	json_decref(json);
	return matches;
}
