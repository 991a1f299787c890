/* words.c - reads the options and numbers of a command, and says what is wrong with them. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int say_text(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("doze: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return 1;
}

int say(const struct err *e)
{
	return say_text("%s", e->text);
}

static const struct option_def *option_find(const struct option_def *defs, size_t n,
					    const char *word, size_t size)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(defs[i].name) == size && !strncmp(defs[i].name, word, size))
			return &defs[i];
	return NULL;
}

/* Reads one option, "--name value" or "--name=value", and returns how many words it took, or -1. */
static int option_take(const struct option_def *defs, size_t n, struct words w, size_t at)
{
	const char *word = w.at[at], *equals = strchr(word, '=');
	size_t size = equals ? (size_t)(equals - word) : strlen(word);
	const struct option_def *def = option_find(defs, n, word, size);

	if (!def) {
		say_text("there is no option '%s'", word);
		return -1;
	}
	if (def->flag) {
		*def->flag = true;
		return 1;
	}
	if (!equals && at + 1 == w.n) {
		say_text("%s needs a value", word);
		return -1;
	}
	*def->value = equals ? equals + 1 : w.at[at + 1];
	if (def->many && def->many->n_many == OPTION_MANY) {
		say_text("%s can be given %d times", def->name, OPTION_MANY);
		return -1;
	}
	if (def->many)
		def->many->many[def->many->n_many++] = *def->value;
	return equals ? 1 : 2;
}

int words_options(struct words *w, const struct option_def *defs, size_t n, const char **rest)
{
	size_t left = 0, i = 0;

	while (i < w->n) {
		int took;

		if (!strcmp(w->at[i], "--")) {
			for (i++; i < w->n; i++)
				rest[left++] = w->at[i];
			break;
		}
		if (w->at[i][0] != '-' || !w->at[i][1]) {
			rest[left++] = w->at[i++];
			continue;
		}
		took = option_take(defs, n, *w, i);
		if (took < 0)
			return -1;
		i += (size_t)took;
	}
	*w = (struct words){ rest, left };
	return 0;
}

int words_number(const char *name, const char *text, long low, long high, long *value)
{
	char *end;

	errno = 0;
	*value = strtol(text, &end, 10);
	if (errno || end == text || *end || *value < low || *value > high) {
		say_text("%s takes a number from %ld to %ld, not '%s'", name, low, high, text);
		return -1;
	}
	return 0;
}

int words_seconds(const char *name, const char *text, long *seconds)
{
	static const struct {
		char unit;
		long seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	char *end;
	long n = strtol(text, &end, 10), of = *end ? 0 : 1;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (end[0] == units[i].unit && !end[1])
			of = units[i].seconds;
	if (end != text && of && n >= 0 && n <= 315360000 / of) {
		*seconds = n * of;
		return 0;
	}
	say_text("%s takes a time such as 3600, 90m, 12h or 30d, not '%s'", name, text);
	return -1;
}
