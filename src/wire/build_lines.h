/* build_lines.h - what a container build prints, line by line: which step of the Dockerfile it is
 * at, and the line that says why a step failed.
 *
 * The commands of a stranger's Dockerfile write these bytes. A carriage return takes back what
 * stands before it in its line, as on a terminal, so that a progress bar leaves its last state
 * alone. Pure; fuzzed. */
#ifndef WIRE_BUILD_LINES_H
#define WIRE_BUILD_LINES_H

#include "base/base.h"

#define BUILD_LINE_MAX  4096 /* a longer line is passed on in pieces, and its first one is read */
#define BUILD_TAIL_MAX  (16 * KIB)
#define BUILD_TEXT_MAX  160
#define BUILD_CAUSE_MAX 240
#define BUILD_STEPS_MAX 100000 /* what claims to be a step with a larger number is none */

/* The Dockerfile's own step, as in "[2/3] STEP 4/7: RUN make". */
struct build_lines_step {
	uint32_t stage, stages; /* 0: the Dockerfile has one stage */
	uint32_t n, of;         /* 0: no step has begun */
	char text[BUILD_TEXT_MAX];
	bool cached;
};

struct build_lines {
	struct build_lines_step step;
	uint32_t status; /* exit status of the command that failed; 0: not known */
	/* Private. */
	uint8_t line[BUILD_LINE_MAX + 1]; /* with its line feed */
	size_t size;
	bool takes_back;               /* a carriage return came last */
	bool middle;                   /* the beginning of this line has been passed on */
	char builder[BUILD_CAUSE_MAX]; /* the builder's own word of the cause */
	uint8_t tail[BUILD_TAIL_MAX];  /* what the step printed last, in a ring */
	uint64_t tail_at;              /* bytes that went into it */
};

struct build_lines_sink {
	/* A line with its line feed, or a piece of a long one. */
	void (*text)(void *arg, const uint8_t *data, size_t size);
	/* l->step has changed; called before its line is passed on. */
	void (*step)(void *arg);
	void *arg;
};

void build_lines_feed(struct build_lines *l, const void *data, size_t size,
		      const struct build_lines_sink *to);
/* Nothing follows: passes on what has no line feed yet, with one. */
void build_lines_end(struct build_lines *l, const struct build_lines_sink *to);

/* Of the lines that the step printed last, the one that names its failure best; "": none does. */
void build_lines_cause(const struct build_lines *l, char to[BUILD_CAUSE_MAX]);

/* Writes these bytes as one line of text for people: UTF-8, without escape sequences and control
 * characters, with single blanks; "..." stands at the end of one that was cut to fit. */
void build_text_clean(char *to, size_t room, const void *from, size_t size);

#endif
