/* maintenance.h - a build step outside of a build. It runs in a directory of its own, or in one
 * that was left behind, which is swept and deleted afterwards. The struct frees itself. */
#ifndef IMAGE_MAINTENANCE_H
#define IMAGE_MAINTENANCE_H

#include "image/job.h"

struct maintenance;

/* @result is as in job.h. The directory is cleared afterwards. */
typedef void maintenance_done(struct maintenance *m, const json_t *result, const struct err *e);

struct maintenance_what {
	const char *dir;      /* NULL: a new one */
	const char *step;     /* NULL: only the sweep */
	const char *argument; /* or NULL */
	int stdin_fd;         /* stays the caller's; -1: nothing */
	enum priv_net net;    /* HOST and SLOT are for a step that asks registries */
};

void maintenance_start(struct image_role *role, const struct maintenance_what *what,
		       maintenance_done *done, void *arg);
struct image_role *maintenance_role(const struct maintenance *m);
void *maintenance_arg(const struct maintenance *m);

#endif
