/* chore.h - a build step outside a build: in a directory of its own (or one that was left behind),
 * which is swept and deleted afterwards.  Frees itself. */
#ifndef IMAGE_CHORE_H
#define IMAGE_CHORE_H

#include "image/job.h"

struct chore;

/* @result as in job.h, borrowed.  The chore goes on to clear itself away. */
typedef void chore_done(struct chore *c, const json_t *result, const struct err *e);

struct chore_what {
	const char *dir;      /* NULL: a new one */
	const char *step;     /* NULL: nothing but the sweep */
	const char *argument; /* or NULL */
	int stdin_fd;         /* stays the caller's; -1: nothing */
};

void chore_start(struct image_role *role, const struct chore_what *what, chore_done *done,
		 void *arg);
struct image_role *chore_role(const struct chore *c);
void *chore_arg(const struct chore *c);

#endif
