#include "image/chore.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/rand.h"
#include "image/build.h"

struct chore {
	struct image_role *role;
	struct job job;
	char dir[64];
	int dir_fd;
	chore_done *done;
	void *arg;
};

struct image_role *chore_role(const struct chore *c)
{
	return c->role;
}

void *chore_arg(const struct chore *c)
{
	return c->arg;
}

static void chore_output(struct job *j, const uint8_t *data, size_t size)
{
	(void)j;
	log_debug("A chore says text='%.*s'", (int)size, (const char *)data);
}

static void chore_swept(struct job *j, const json_t *result, const struct err *e)
{
	struct chore *c = container_of(j, struct chore, job);

	if (!result)
		log_warn("a directory of a build is not swept dir=%s cause='%s'", c->dir, e->text);
	if (io_remove_tree(c->role->build_fd, c->dir))
		log_warn("a directory of a build stays dir=%s", c->dir);
	fd_close(&c->dir_fd);
	if (c->done)
		c->done(c, result, e);
	free(c);
}

static const struct job_ops chore_sweep_ops = { chore_output, chore_swept };

static void chore_sweep(struct chore *c)
{
	job_begin(&c->job, c->role, &chore_sweep_ops, c->dir_fd, c->dir, "clean");
	build_step_options(c->role, &c->job);
	job_start(&c->job, -1);
}

static void chore_ended(struct job *j, const json_t *result, const struct err *e)
{
	struct chore *c = container_of(j, struct chore, job);
	chore_done *done = c->done;

	c->done = NULL;
	if (done)
		done(c, result, e);
	chore_sweep(c);
}

static const struct job_ops chore_ops = { chore_output, chore_ended };

void chore_start(struct image_role *role, const struct chore_what *what, chore_done *done,
		 void *arg)
{
	struct chore *c = xcalloc(1, sizeof(*c));
	char uuid[UUID_SIZE];
	struct err e;

	c->role = role;
	c->done = done;
	c->arg = arg;
	rand_uuid(uuid);
	snprintf(c->dir, sizeof(c->dir), "%s", what->dir ? what->dir : uuid);
	if (!what->dir && io_mkdir(role->build_fd, c->dir, 0770))
		log_warn("a directory cannot be made dir=%s", c->dir);
	c->dir_fd = io_open_below(role->build_fd, c->dir, O_RDONLY | O_DIRECTORY, 0);
	if (c->dir_fd < 0) {
		err_set(&e, ERR_INTERNAL, "the build's directory cannot be opened");
		if (done)
			done(c, NULL, &e);
		free(c);
		return;
	}
	if (!what->step) {
		chore_sweep(c);
		return;
	}
	job_begin(&c->job, role, &chore_ops, c->dir_fd, c->dir, what->step);

	build_step_options(role, &c->job);
	if (what->argument)
		job_arg(&c->job, what->argument);
	job_start(&c->job, what->stdin_fd);
}
