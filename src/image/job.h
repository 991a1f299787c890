/* job.h - one run of doze-build-step, which priv starts. Its output is streamed to the caller, and
 * it leaves a result.json. */
#ifndef IMAGE_JOB_H
#define IMAGE_JOB_H

#include <jansson.h>

#include "base/buf.h"
#include "image/image.h"

struct job;

struct job_ops {
	void (*output)(struct job *j, const uint8_t *data, size_t size);
	/* @result is the object of result.json, borrowed, or NULL if there is none because the step
	 * was killed or priv is gone; *e says why. Nothing is called after this, and priv has
	 * cleared everything. */
	void (*done)(struct job *j, const json_t *result, const struct err *e);
};

/* The struct is embedded. Call job_begin, add arguments, then call job_start. */
struct job {
	struct list in;
	struct image_role *role;
	const struct job_ops *ops;
	int dir_fd; /* borrowed: below the build directory */
	enum priv_net net;
	/* Private to job.c. */
	struct buf args;
	unsigned n_args;
	char id[IPC_ID_SIZE], dir[64];
	struct request request;
	uv_poll_t *poll; /* reads the output; frees itself */
	bool active, gone, ending, oom;
	int status;
};

/* @dir is the name of the directory below the build directory. */
void job_begin(struct job *j, struct image_role *role, const struct job_ops *ops, int dir_fd,
	       const char *dir, const char *step);
void job_arg(struct job *j, const char *arg);
void job_option(struct job *j, const char *name, const char *value); /* nothing if value is empty */
/* @stdin_fd stays the caller's; -1 stands for /dev/null. */
void job_start(struct job *j, int stdin_fd);
/* Kills the step; `done` is called when it is gone. Harmless if not active. */
void job_kill(struct job *j);

void jobs_gone(struct image_role *role, const struct priv_build_gone *g); /* priv's event */
void jobs_lost(struct image_role *role); /* priv has died, and all jobs with it */

#endif
