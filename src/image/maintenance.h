/* maintenance.h - a build step outside a build: in a directory of its own (or one that was left
 * behind), which is swept and deleted afterwards.  Frees itself. */
#ifndef IMAGE_MAINTENANCE_H
#define IMAGE_MAINTENANCE_H

#include "image/job.h"

struct maintenance;

/* @result as in job.h, borrowed.  It goes on to clear itself away. */
typedef void maintenance_done(struct maintenance *m, const json_t *result, const struct err *e);

struct maintenance_what {
	const char *dir;      /* NULL: a new one */
	const char *step;     /* NULL: nothing but the sweep */
	const char *argument; /* or NULL */
	int stdin_fd;         /* stays the caller's; -1: nothing */
};

void maintenance_start(struct image_role *role, const struct maintenance_what *what,
		       maintenance_done *done, void *arg);
struct image_role *maintenance_role(const struct maintenance *m);
void *maintenance_arg(const struct maintenance *m);

#endif
