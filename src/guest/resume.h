/* resume.h - what makes a clone of a snapshot a guest of its own: the time, fresh randomness, and
 * no connections that lead nowhere.  On the path of every wake: no allocation but for connections
 * that are cut, no file, no waiting. */
#ifndef GUEST_RESUME_H
#define GUEST_RESUME_H

#include "base/err.h"
#include "wire/agent.h"

#define RESUME_RANDOM 64

struct resume {
	int random_fd; /* owned: /dev/urandom */
	int diag_fd;   /* borrowed */
};

int resume_open(struct resume *r, int diag_fd, struct err *e) must_check;

/* Do what a RESUMED frame says. */
void resume_apply(struct resume *r, const struct agent_frame *f);

/* Go the same way without effect on the guest: the clock is set to what it shows, the randomness
 * is the guest's own, no connection is cut. */
void resume_rehearse(struct resume *r);

#endif
