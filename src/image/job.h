/* job.h - one run of doze-build-step by priv: its output streams in, its result.json comes out. */
#ifndef IMAGE_JOB_H
#define IMAGE_JOB_H

#include <jansson.h>

#include "base/buf.h"
#include "image/image.h"

struct job;

struct job_ops {
	void (*output)(struct job *j, const uint8_t *data, size_t size);
	/* @result: the object of result.json, borrowed; NULL and *e when there is none (it was
	 * killed, priv is gone).  Nothing is called after it; priv has cleared everything. */
	void (*done)(struct job *j, const json_t *result, const struct err *e);
};

/* Embedded: job_begin, arguments, job_start. */
struct job {
	struct list in;
	struct image_role *role;
	const struct job_ops *ops;
	int dir_fd; /* borrowed: below the build directory */
	enum priv_net net;
	/* Its own. */
	struct buf args;
	unsigned n_args;
	char id[IPC_ID_SIZE], dir[64];
	struct request request;
	uv_poll_t *poll; /* of the output; frees itself */
	bool active, gone, ending, oom;
	int status;
};

/* @dir: the directory's name below the build directory. */
void job_begin(struct job *j, struct image_role *role, const struct job_ops *ops, int dir_fd,
	       const char *dir, const char *step);
void job_arg(struct job *j, const char *arg);
void job_option(struct job *j, const char *name, const char *value); /* nothing if value is empty */
/* @stdin_fd -1: /dev/null; stays the caller's. */
void job_start(struct job *j, int stdin_fd);
/* Kill it: `done` comes when it is gone.  Harmless if not active. */
void job_kill(struct job *j);

void jobs_gone(struct image_role *role, const struct priv_build_gone *g); /* of priv */
void jobs_lost(struct image_role *role); /* priv died, and all of them with it */

#endif
