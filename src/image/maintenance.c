#include "image/maintenance.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/rand.h"
#include "image/build.h"
#include "image/registries.h"

struct maintenance {
	struct image_role *role;
	struct job job;
	char dir[64];
	int dir_fd;
	maintenance_done *done;
	void *arg;
};

struct image_role *maintenance_role(const struct maintenance *m)
{
	return m->role;
}

void *maintenance_arg(const struct maintenance *m)
{
	return m->arg;
}

static void maintenance_output(struct job *j, const uint8_t *data, size_t size)
{
	(void)j;
	log_debug("A maintenance step says text='%.*s'", (int)size, (const char *)data);
}

static void maintenance_swept(struct job *j, const json_t *result, const struct err *e)
{
	struct maintenance *m = container_of(j, struct maintenance, job);

	if (!result)
		log_warn("a directory of a build is not swept dir=%s cause='%s'", m->dir, e->text);
	if (io_remove_tree(m->role->build_fd, m->dir))
		log_warn("a directory of a build stays dir=%s", m->dir);
	fd_close(&m->dir_fd);
	if (m->done)
		m->done(m, result, e);
	free(m);
}

static const struct job_ops maintenance_sweep_ops = { maintenance_output, maintenance_swept };

static void maintenance_sweep(struct maintenance *m)
{
	job_begin(&m->job, m->role, &maintenance_sweep_ops, m->dir_fd, m->dir, "clean");
	build_step_options(m->role, &m->job);
	job_start(&m->job, -1);
}

static void maintenance_ended(struct job *j, const json_t *result, const struct err *e)
{
	struct maintenance *m = container_of(j, struct maintenance, job);
	maintenance_done *done = m->done;

	m->done = NULL;
	if (done)
		done(m, result, e);
	maintenance_sweep(m);
}

static const struct job_ops maintenance_ops = { maintenance_output, maintenance_ended };

void maintenance_start(struct image_role *role, const struct maintenance_what *what,
		       maintenance_done *done, void *arg)
{
	struct maintenance *m = xcalloc(1, sizeof(*m));
	char uuid[UUID_SIZE];
	struct err e;

	m->role = role;
	m->done = done;
	m->arg = arg;
	rand_uuid(uuid);
	snprintf(m->dir, sizeof(m->dir), "%s", what->dir ? what->dir : uuid);
	if (!what->dir && io_mkdir(role->build_fd, m->dir, 0770))
		log_warn("a directory cannot be made dir=%s", m->dir);
	m->dir_fd = io_open_below(role->build_fd, m->dir, O_RDONLY | O_DIRECTORY, 0);
	if (m->dir_fd < 0) {
		err_set(&e, ERR_INTERNAL, "the build's directory cannot be opened");
		if (done)
			done(m, NULL, &e);
		free(m);
		return;
	}
	if (!what->step) {
		maintenance_sweep(m);
		return;
	}
	job_begin(&m->job, role, &maintenance_ops, m->dir_fd, m->dir, what->step);

	build_step_options(role, &m->job);
	if (what->argument)
		job_arg(&m->job, what->argument);
	if (what->net == PRIV_NET_NONE)
		job_start(&m->job, what->stdin_fd);
	else
		registries_start(&m->job, what->net);
}
