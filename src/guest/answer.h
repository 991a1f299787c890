/* answer.h - reads the status of an HTTP/1 answer and nothing else.  The bytes come from the
 * application, which may send anything.  Pure, bounded, without a buffer of its own. */
#ifndef GUEST_ANSWER_H
#define GUEST_ANSWER_H

#include "base/base.h"

#define ANSWER_START 12 /* "HTTP/1.1 200" */

/* Starts as all zeros. */
struct answer {
	char line[ANSWER_START +
		  1]; /* the start of the current line, and one byte after the status */
	size_t n_line, total;
	bool skipping; /* the rest of an interim (1xx) answer */
	int status;    /* valid once answer_feed returned 1 */
};

/* Returns 1 once the final status line is complete, 0 if more is needed, -1 if this is not an HTTP
 * answer. */
int answer_feed(struct answer *a, const uint8_t *data, size_t size) must_check;

#endif
