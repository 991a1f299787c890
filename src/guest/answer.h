/* answer.h - the status of an HTTP/1 answer, and nothing else of it.  The bytes are the
 * application's, which may send anything.  Pure, bounded, without a buffer of its own. */
#ifndef GUEST_ANSWER_H
#define GUEST_ANSWER_H

#include "base/base.h"

#define ANSWER_START 12 /* "HTTP/1.1 200" */

/* All zero: nothing came yet. */
struct answer {
	char line[ANSWER_START + 1]; /* the begin of the present line, and what follows a status */
	size_t n_line, total;
	bool skipping; /* the rest of an interim (1xx) answer */
	int status;    /* when answer_feed said 1 */
};

/* 1: the final status line is complete; 0: more is needed; -1: this is no HTTP answer. */
int answer_feed(struct answer *a, const uint8_t *data, size_t size) must_check;

#endif
