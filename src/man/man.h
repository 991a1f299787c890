/* man.h - the manual pages in mdoc(7), printed from the tables that the programs use. */
#ifndef MAN_MAN_H
#define MAN_MAN_H

#include <stdio.h>

#include "base/base.h"

typedef void man_page(FILE *to);
man_page page_doze, page_dozed, page_ini;

/* Title, name and what follows it: .Dd to .Nd. */
void mdoc_begin(FILE *to, const char *title, int section, const char *name, const char *summary);
/* Sentences of plain text, each on a line of its own, the first with a capital letter and the last
 * with a full stop where they have none. */
void mdoc_text(FILE *to, const char *text);
/* Text that stays as it is, on one line. */
void mdoc_line(FILE *to, const char *text);
/* Likewise, as an argument of a macro, in quotes. */
void mdoc_word(FILE *to, const char *text);

/* A list of terms that mean something. */
struct mdoc_term {
	const char *macro; /* "Pa", "Ev"; NULL: plain */
	const char *term, *meaning;
};
void mdoc_terms(FILE *to, const struct mdoc_term *terms, size_t n);

/* " Fl i , Fl -instance Ar NAME", without the end of line. */
void mdoc_option(FILE *to, char letter, const char *name, const char *argument);

#endif
