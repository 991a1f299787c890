#include "conf/awake.h"

#include <stdlib.h>
#include <string.h>

#define AWAKE_WORD 64
#define AWAKE_PART 512

static int awake_word(const char *word, struct awake *a, struct err *e)
{
	char *end;
	unsigned long percent;

	if (!strcmp(word, "lease")) {
		a->lease = true;
		return 0;
	}
	if (strncmp(word, "cpu=", 4) != 0)
		return err_set(
			e, ERR_INVALID,
			"'%s' keeps no microVM awake: say cpu=PERCENT%%, lease, or both with "
			"a comma between them",
			word);
	percent = strtoul(word + 4, &end, 10);
	if (word[4] < '0' || word[4] > '9' || (*end && strcmp(end, "%") != 0) || !percent ||
	    percent > AWAKE_CPU_MAX)
		return err_set(e, ERR_INVALID,
			       "'%s' is no share of a core: say cpu=1%% to cpu=%d%%", word,
			       AWAKE_CPU_MAX);
	a->cpu_percent = (uint32_t)percent;
	return 0;
}

/* Copies the piece up to one of @ends without its outer blanks, and returns what follows it; NULL:
 * it was the last. */
static const char *awake_piece(const char *text, char end, char *piece, size_t size)
{
	const char *stop = strchrnul(text, end);
	const char *next = *stop ? stop + 1 : NULL;

	text += strspn(text, " \t");
	while (stop > text && (stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	if ((size_t)(stop - text) >= size)
		stop = text + size - 1;
	memcpy(piece, text, (size_t)(stop - text));
	piece[stop - text] = '\0';
	return next;
}

int awake_parse(const char *text, struct awake *a, struct err *e)
{
	struct awake got = { 0 };
	char word[AWAKE_WORD];

	while (text) {
		text = awake_piece(text, ',', word, sizeof(word));
		if (awake_word(word, &got, e))
			return -1;
	}
	*a = got;
	return 0;
}

struct awake awake_of_image(const char *list, const char *image)
{
	size_t size = strlen(image);
	struct awake a = { 0 };
	char part[AWAKE_PART];
	const char *words;
	struct err e;

	while (list) {
		list = awake_piece(list, ';', part, sizeof(part));
		if (strncmp(part, image, size) != 0)
			continue;
		words = part + size + strspn(part + size, " \t");
		if (size && *words == '=' && !awake_parse(words + 1, &a, &e))
			return a;
	}
	return (struct awake){ 0 };
}

int awake_check_list(const char *list, struct err *e)
{
	const char *equals;
	char part[AWAKE_PART];
	struct awake a;

	while (list && *list) {
		list = awake_piece(list, ';', part, sizeof(part));
		equals = strchr(part, '=');
		if (*part && (!equals || equals == part))
			return err_set(e, ERR_INVALID,
				       "'%s' names no image: say IMAGE=cpu=5%%,lease", part);
		if (*part && awake_parse(equals + 1, &a, e))
			return -1;
	}
	return 0;
}
