/* mdoc.c - writes plain text and lists as mdoc(7), and escapes what roff would take for its own. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "man/man.h"

void mdoc_begin(FILE *to, const char *title, int section, const char *name, const char *summary)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	time_t now = epoch ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
	struct tm day;
	char date[64];

	gmtime_r(&now, &day);
	strftime(date, sizeof(date), "%B %e, %Y", &day);
	fprintf(to, ".Dd %s\n.Dt %s %d\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n", date, title, section,
		name, summary);
}

static void mdoc_char(FILE *to, char c)
{
	if (c == '\\')
		fputs("\\e", to);
	else if (c == '-')
		fputs("\\-", to);
	else if (c == '"')
		fputs("\\(dq", to);
	else
		fputc(c, to);
}

void mdoc_line(FILE *to, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", to);
	while (*text)
		mdoc_char(to, *text++);
	fputc('\n', to);
}

void mdoc_word(FILE *to, const char *text)
{
	fputs(" \"", to);
	while (*text)
		mdoc_char(to, *text++);
	fputc('"', to);
}

void mdoc_text(FILE *to, const char *text)
{
	size_t size = strlen(text);
	bool begins = true;

	for (size_t i = 0; i < size; i++) {
		if (begins && (text[i] == '.' || text[i] == '\''))
			fputs("\\&", to);
		mdoc_char(to, i ? text[i] : (char)toupper((unsigned char)text[i]));
		begins =
			text[i] == '.' && text[i + 1] == ' ' && isupper((unsigned char)text[i + 2]);
		if (begins) {
			fputc('\n', to);
			i++;
		}
	}
	fputs(size && strchr(".:", text[size - 1]) ? "\n" : ".\n", to);
}

void mdoc_terms(FILE *to, const struct mdoc_term *terms, size_t n)
{
	fputs(".Bl -tag -width Ds\n", to);
	for (size_t i = 0; i < n; i++) {
		fprintf(to, ".It%s%s", terms[i].macro ? " " : "",
			terms[i].macro ? terms[i].macro : "");
		mdoc_word(to, terms[i].term);
		fputc('\n', to);
		mdoc_text(to, terms[i].meaning);
	}
	fputs(".El\n", to);
}

void mdoc_option(FILE *to, char letter, const char *name, const char *argument)
{
	if (letter)
		fprintf(to, " Fl %c ,", letter);
	fprintf(to, " Fl -%s", name);
	if (argument)
		fprintf(to, " Ar %s", argument);
}
