/* build_show.h - a build as it goes on, from the answers of GET /doze/v1/builds/<id> and from its
 * log: a line for each step when it has ended, on a terminal also one that moves for the step under
 * way, with --json an object in a line for each event (docs/api-doze.md, "Events of a build").
 *
 * Of the log the warnings alone are shown, with --verbose all of it. */
#ifndef CLI_BUILD_SHOW_H
#define CLI_BUILD_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "base/buf.h"

#define BUILD_TAIL 40 /* lines of the step that failed */

struct build_show {
	FILE *to;
	int columns; /* of the terminal; 0: it is none */
	bool json, verbose;
	size_t ended;    /* steps that have ended and were shown */
	int shown;       /* columns that the moving line takes now */
	char *under_way; /* what was said last of the step under way; owned */
	struct buf line; /* the end of the log, if that is no whole line yet */
	bool warns;      /* the log's last line was a warning, which may go on */
};

void build_show_begin(struct build_show *s, FILE *to, int columns);
void build_show_free(struct build_show *s);
/* What a build answers that was asked for its steps from number s->ended on. */
void build_show_steps(struct build_show *s, const json_t *build);
void build_show_log(struct build_show *s, const void *data, size_t size);
void build_show_log_end(struct build_show *s); /* what is no whole line yet */
/* The last lines of the step that failed; @log is what it wrote. */
void build_show_failure(struct build_show *s, const json_t *step, const char *log);
void build_show_clear(struct build_show *s); /* takes the moving line away */
/* One object in one line; @event is taken over. */
void build_show_event(struct build_show *s, const char *name, json_t *event);
/* "STEP 3/7 RUN make"; owned by the caller. */
char *build_show_label(const json_t *step);

#endif
