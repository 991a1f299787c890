#include "wire/build_lines.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The size of the UTF-8 character at @s, or 0 if there is none. */
static size_t build_text_utf8(const uint8_t *s, size_t left)
{
	static const struct {
		uint8_t mask, lead;
		size_t size;
		uint32_t least;
	} kinds[] = { { 0xe0, 0xc0, 2, 0x80 },
		      { 0xf0, 0xe0, 3, 0x800 },
		      { 0xf8, 0xf0, 4, 0x10000 } };

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		uint32_t code = s[0] & (uint8_t)~kinds[k].mask;

		if ((s[0] & kinds[k].mask) != kinds[k].lead || left < kinds[k].size)
			continue;
		for (size_t i = 1; i < kinds[k].size; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (s[i] & 0x3f);
		}
		/* U+0080 to U+009F are control characters too. */
		if (code < kinds[k].least || code < 0xa0 || code > 0x10ffff ||
		    (code >= 0xd800 && code < 0xe000))
			return 0;
		return kinds[k].size;
	}
	return 0;
}

/* The size of the escape sequence at @s, which begins with ESC. */
static size_t build_text_escape(const uint8_t *s, size_t left)
{
	size_t i = 2;

	if (left < 2)
		return left;
	if (s[1] == '[') {
		while (i < left && (s[i] < 0x40 || s[i] > 0x7e))
			i++;
		return i < left ? i + 1 : left;
	}
	if (s[1] != ']')
		return 2;
	while (i < left && s[i] != 0x07 && s[i] != 0x1b)
		i++;
	return i < left && s[i] == 0x07 ? i + 1 : i; /* ESC \ is the next sequence */
}

void build_text_clean(char *to, size_t room, const void *from, size_t size)
{
	static const char cut[] = "...";
	const uint8_t *s = from;
	size_t n = 0, safe = 0; /* up to where the text is kept if it has to be cut */

	assert(room > sizeof(cut));
	for (size_t i = 0; i < size;) {
		size_t one = s[i] >= 0x80 ? build_text_utf8(s + i, size - i) : 1;
		bool blank = s[i] <= ' ' || s[i] == 0x7f;

		if (s[i] == 0x1b) {
			i += build_text_escape(s + i, size - i);
			continue;
		}
		if (blank && (!n || to[n - 1] == ' ')) {
			i++;
			continue;
		}
		if (n + (one ? one : 1) >= room) {
			n = safe;
			memcpy(to + n, cut, sizeof(cut) - 1);
			n += sizeof(cut) - 1;
			break;
		}
		if (blank || !one)
			to[n++] = blank ? ' ' : '?';
		else
			memcpy(to + n, s + i, one);
		n += blank || !one ? 0 : one;
		i += one ? one : 1;
		if (n + sizeof(cut) <= room)
			safe = n;
	}
	while (n && to[n - 1] == ' ')
		n--;
	to[n] = '\0';
}

/* Reads a number and what must follow it. */
static bool build_lines_number(const char **at, uint32_t *n, const char *follow)
{
	char *end;
	unsigned long value;

	if (!isdigit((unsigned char)**at))
		return false;
	value = strtoul(*at, &end, 10);
	if (!value || value > BUILD_STEPS_MAX || strncmp(end, follow, strlen(follow)) != 0)
		return false;
	*n = (uint32_t)value;
	*at = end + strlen(follow);
	return true;
}

/* "STEP 3/7: RUN make", or "[1/2] STEP 3/7: RUN make" in a Dockerfile with stages. */
static bool build_lines_read_step(const char *text, struct build_lines_step *step)
{
	static const char word[] = "STEP ";

	*step = (struct build_lines_step){ 0 };
	if (*text == '[') {
		text++;
		if (!build_lines_number(&text, &step->stage, "/") ||
		    !build_lines_number(&text, &step->stages, "] ") || step->stage > step->stages)
			return false;
	}
	if (strncmp(text, word, sizeof(word) - 1) != 0)
		return false;
	text += sizeof(word) - 1;
	if (!build_lines_number(&text, &step->n, "/") ||
	    !build_lines_number(&text, &step->of, ": ") || step->n > step->of)
		return false;
	build_text_clean(step->text, sizeof(step->text), text, strlen(text));
	return *step->text;
}

/* How well a line names the cause of a failure. The last of the best ones is taken. */
enum build_lines_rank {
	RANK_NONE,
	RANK_LAST,  /* the last line is better than none */
	RANK_ERROR, /* it says that it is an error */
};

static bool build_lines_begins(const char *text, const char *with)
{
	return !strncasecmp(text, with, strlen(with));
}

static enum build_lines_rank build_lines_rank(const char *text)
{
	/* These lines follow the cause and say less than it does. */
	static const char *const noise[] = {
		"doze:",
		"time=\"",
		"npm ERR! A complete log",
		"npm error A complete log",
		"npm ERR! /", /* where that log is */
		"npm error /",
		"make: ***",
		"make[",
		"ninja: build stopped",
		"note:",
		"hint:",
		"[notice]",
		"[end of output]",
		"Error: exit status",
		"exit status",
		"subprocess exited",
		"error: subprocess-exited-with-error",
		"error: process completed",
	};
	static const char *const begins[] = { "error", "fatal",  "e: ",    "npm err",
					      "err!",  "panic:", "failed", "abort" };
	static const char *const contains[] = {
		"error:",
		": not found",
		"command not found",
		"No such file or directory",
		"Permission denied",
		"cannot ",
		"could not ",
		"not permitted",
		"Exception:",
		"undefined reference",
		"No space left",
		"Killed",
	};

	for (size_t i = 0; i < ARRAY_SIZE(noise); i++)
		if (build_lines_begins(text, noise[i]))
			return RANK_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
		if (build_lines_begins(text, begins[i]))
			return RANK_ERROR;
	for (size_t i = 0; i < ARRAY_SIZE(contains); i++)
		if (strcasestr(text, contains[i]))
			return RANK_ERROR;
	return *text ? RANK_LAST : RANK_NONE;
}

/* buildah's own end: `Error: building at STEP "RUN make": while running runtime: exit status 2`.
 * The status is that of the command; any other end is the cause itself. */
static bool build_lines_read_builder(struct build_lines *l, const char *text)
{
	static const char *const begins[] = { "Error: building at STEP \"",
					      "error building at STEP \"",
					      "Error: error building at STEP \"" };
	static const char status[] = "exit status ", stat[] = "copier: stat: ";
	const char *at = NULL, *next, *last = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(begins) && !at; i++)
		if (!strncmp(text, begins[i], strlen(begins[i])))
			at = text + strlen(begins[i]);
	if (!at)
		return false;
	if ((next = strstr(at, "\": ")))
		at = next + 3;
	for (next = at; (next = strstr(next, status)); next++)
		last = next + sizeof(status) - 1;
	if (last && isdigit((unsigned char)*last)) {
		unsigned long n = strtoul(last, NULL, 10);

		l->status = n < 256 ? (uint32_t)n : 0;
		return true;
	}
	/* In front of the file's name stands the way through the builder, with a place of the host.
	 */
	if ((next = strstr(at, stat)))
		at = next + sizeof(stat) - 1;
	build_text_clean(l->builder, sizeof(l->builder), at, strlen(at));
	return true;
}

static void build_lines_keep(struct build_lines *l)
{
	for (size_t i = 0; i < l->size; i++)
		l->tail[l->tail_at++ % BUILD_TAIL_MAX] = l->line[i];
	l->tail[l->tail_at++ % BUILD_TAIL_MAX] = '\n';
}

/* Most lines are neither a step nor the builder's, and their first letter tells. */
static bool build_lines_matters(const struct build_lines *l)
{
	return memchr("S[-Ee", l->line[0], 5);
}

static void build_lines_read(struct build_lines *l, const struct build_lines_sink *to)
{
	static const char cached[] = "--> Using cache";
	char text[BUILD_LINE_MAX + 1];
	struct build_lines_step step;

	if (!build_lines_matters(l)) {
		build_lines_keep(l);
		return;
	}
	memcpy(text, l->line, l->size);
	text[l->size] = '\0';
	if (build_lines_read_step(text, &step)) {
		l->step = step;
		*l->builder = '\0';
		l->tail_at = 0;
		l->status = 0;
		to->step(to->arg);
	} else if (!strncmp(text, cached, sizeof(cached) - 1) && l->step.n && !l->step.cached) {
		l->step.cached = true;
		to->step(to->arg);
	} else if (!build_lines_read_builder(l, text)) {
		build_lines_keep(l);
	}
}

void build_lines_cause(const struct build_lines *l, char to[BUILD_CAUSE_MAX])
{
	uint64_t at = l->tail_at > BUILD_TAIL_MAX ? l->tail_at - BUILD_TAIL_MAX : 0;
	enum build_lines_rank best = RANK_NONE, rank;
	char line[BUILD_LINE_MAX], clean[BUILD_CAUSE_MAX];
	size_t n = 0;

	memcpy(to, l->builder, BUILD_CAUSE_MAX);
	if (*to)
		return;
	for (; at < l->tail_at; at++) {
		uint8_t c = l->tail[at % BUILD_TAIL_MAX];

		if (c != '\n') {
			line[n] = (char)c;
			n += n + 1 < sizeof(line);
			continue;
		}
		build_text_clean(clean, sizeof(clean), line, n);
		n = 0;
		rank = build_lines_rank(clean);
		if (rank == RANK_NONE || rank < best)
			continue;
		best = rank;
		memcpy(to, clean, sizeof(clean));
	}
}

/* Passes on what is there; @end is the line feed, or empty in the middle of a line. */
static void build_lines_pass(struct build_lines *l, const struct build_lines_sink *to, bool end)
{
	if (!l->middle && l->size)
		build_lines_read(l, to);
	if (end)
		l->line[l->size++] = '\n';
	to->text(to->arg, l->line, l->size);
	l->size = 0;
	l->takes_back = false;
	l->middle = !end;
}

void build_lines_feed(struct build_lines *l, const void *data, size_t size,
		      const struct build_lines_sink *to)
{
	const uint8_t *s = data;

	for (size_t i = 0; i < size; i++) {
		if (s[i] == '\n') {
			build_lines_pass(l, to, true);
			continue;
		}
		if (s[i] == '\r') {
			l->takes_back = true;
			continue;
		}
		if (l->takes_back)
			l->size = 0;
		l->takes_back = false;
		if (l->size == BUILD_LINE_MAX)
			build_lines_pass(l, to, false);
		l->line[l->size++] = s[i];
	}
}

void build_lines_end(struct build_lines *l, const struct build_lines_sink *to)
{
	if (l->size || l->middle)
		build_lines_pass(l, to, true);
}
