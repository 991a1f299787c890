/* resume.h - makes a clone of a snapshot a guest of its own: it sets the time, adds fresh
 * randomness, says so to the application, and cuts connections that lead nowhere.  Every wake runs
 * this code, so it opens no file, never waits, and allocates memory only for the connections that
 * it cuts. */
#ifndef GUEST_RESUME_H
#define GUEST_RESUME_H

#include "base/err.h"
#include "guest/generation.h"
#include "wire/agent.h"

#define RESUME_RANDOM 64

struct resume {
	int random_fd; /* owned: /dev/urandom */
	int diag_fd;   /* borrowed */
	struct generation generation;
};

int resume_open(struct resume *r, int diag_fd, struct err *e) must_check;

/* Reseed the kernel's generator with the frame's FIELD_RANDOM, and let the generation change.  A
 * frame without the field changes nothing. */
void resume_renew(struct resume *r, const struct agent_frame *f);

/* Do what a RESUMED frame says. */
void resume_apply(struct resume *r, const struct agent_frame *f);

/* Take the same steps without an effect on the guest: the clock is set to what it shows, the
 * randomness is the guest's own, and no connection is cut. */
void resume_rehearse(struct resume *r);

#endif
