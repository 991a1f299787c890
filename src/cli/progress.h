/* progress.h - how far the microVMs are on their way to sleep, from the answers of
 * GET /doze/v1/drain: one line that is rewritten on a terminal, a line for each change elsewhere.
 * What could not be suspended is remembered for the end. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <jansson.h>
#include <stdio.h>

#include "conf/conf.h"

struct progress {
	FILE *to;
	int columns;    /* of the terminal; 0: it is none */
	int shown;      /* columns that the line on the terminal takes now */
	json_t *said;   /* id: what was said of it last; owned */
	json_t *errors; /* id: why it could not be suspended; owned */
	json_t *last;   /* the last answer, or NULL; owned */
};

void progress_begin(struct progress *p, FILE *to, int columns);
void progress_show(struct progress *p, const json_t *drain);
/* The daemon has ended, cleanly or not: say of each microVM that is not asleep why, and what to do.
 * How many these are.  Frees what *p owns. */
unsigned progress_end(struct progress *p, bool clean, const struct conf *conf, const char *log);

#endif
