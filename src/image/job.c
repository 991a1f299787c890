#include "image/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/rand.h"

#define JOB_RESULT  (4 * MIB)
#define JOB_MARK    "b-" /* a file with this prefix in the directory names the job that ran there */
#define JOB_AT_ONCE 16   /* reads of output before other events have their turn */

struct job_output {
	uv_poll_t poll;
	int fd;
	struct job *job; /* NULL: nobody listens any more */
};

static void job_output_closed(uv_handle_t *handle)
{
	struct job_output *o = handle->data;

	close(o->fd);
	free(o);
}

static void job_output_end(struct job *j)
{
	struct job_output *o;

	if (!j->poll)
		return;
	o = j->poll->data;
	uv_poll_stop(&o->poll);
	uv_close((uv_handle_t *)&o->poll, job_output_closed);
	j->poll = NULL;
}

/* Returns false at the end of the output. */
static bool job_read(struct job *j, int fd, int most)
{
	uint8_t data[16384];

	for (int i = 0; i < most; i++) {
		ssize_t n = read(fd, data, sizeof(data));

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (!n)
			return false;
		j->ops->output(j, data, (size_t)n);
	}
	return true;
}

static void job_output_ready(uv_poll_t *poll, int status, int events)
{
	struct job_output *o = poll->data;

	(void)status;
	(void)events;
	if (!job_read(o->job, o->fd, JOB_AT_ONCE))
		job_output_end(o->job);
}

static int job_output_open(struct job *j, int *write_end, struct err *e)
{
	struct job_output *o;
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC))
		return err_sys(e, "make a pipe");
	o = xcalloc(1, sizeof(*o));
	o->fd = pipes[0];
	o->job = j;
	if (io_nonblock(pipes[0]) || uv_poll_init(j->role->loop, &o->poll, o->fd)) {
		close(pipes[0]);
		close(pipes[1]);
		free(o);
		return err_set(e, ERR_INTERNAL, "watch a pipe");
	}
	o->poll.data = o;
	j->poll = &o->poll;
	uv_poll_start(&o->poll, UV_READABLE, job_output_ready);
	*write_end = pipes[1];
	return 0;
}

void job_begin(struct job *j, struct image_role *role, const struct job_ops *ops, int dir_fd,
	       const char *dir, const char *step)
{
	autofree char *path = xasprintf("%s/build/%s", role->conf->data_dir, dir);

	*j = (struct job){ .role = role, .ops = ops, .dir_fd = dir_fd };
	list_init(&j->in);
	snprintf(j->dir, sizeof(j->dir), "%s", dir);
	job_arg(j, "doze-build-step");
	job_arg(j, step);
	job_option(j, "--dir", path);
}

void job_arg(struct job *j, const char *arg)
{
	buf_add(&j->args, arg, strlen(arg) + 1);
	j->n_args++;
}

void job_option(struct job *j, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	job_arg(j, name);
	job_arg(j, value);
}

static void job_finish(struct job *j, const json_t *result, const struct err *e)
{
	list_del(&j->in);
	request_drop(&j->request);
	job_output_end(j);
	if (unlinkat(j->dir_fd, j->id, 0) && errno != ENOENT)
		log_warn("a build step's mark stays build=%s", j->id);
	buf_free(&j->args);
	j->active = false;
	j->ops->done(j, result, e);
}

/* Reads result.json if it is a regular file of bounded size that holds JSON, else returns NULL. */
static json_t *job_result(struct job *j)
{
	autoclose int fd = io_open_below(j->dir_fd, "result.json", O_RDONLY | O_NONBLOCK, 0);
	autobuf struct buf text = { 0 };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || io_read_all(fd, &text, JOB_RESULT))
		return NULL;
	return json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
}

static void job_ended(struct job *j)
{
	struct err e = { ERR_INTERNAL, "the build step ended without a result" };
	json_t *result = job_result(j);

	if (j->poll)
		job_read(j, ((struct job_output *)j->poll->data)->fd, 1024);
	if (j->ending)
		err_set(&e, ERR_INTERNAL, "the build was stopped");
	else if (j->oom)
		err_set(&e, ERR_QUOTA, "the build ran out of memory ([build] memory_mib)");
	if (j->ending || !json_is_object(result)) {
		json_decref(result);
		job_finish(j, NULL, &e);
		return;
	}
	job_finish(j, result, NULL);
	json_decref(result);
}

/* The answer means that the process is gone and that priv has cleared everything of it. */
static void job_cleared(struct request *r, struct ipc_msg *m)
{
	struct job *j = container_of(r, struct job, request);
	struct err e;

	if (!m) {
		request_failed(m, &e);
		job_finish(j, NULL, &e);
		return;
	}
	job_ended(j);
}

static void job_clear(struct job *j)
{
	struct priv_build_id id;

	memcpy(id.build, j->id, sizeof(id.build));
	request_drop(&j->request);
	request_send(j->role, j->role->priv, &j->request,
		     &(struct request_what){ PRIV_BUILD_END, &id, sizeof(id), NULL, 0 },
		     job_cleared);
}

static void job_started(struct request *r, struct ipc_msg *m)
{
	struct job *j = container_of(r, struct job, request);
	struct err e;

	if (request_failed(m, &e))
		job_finish(j, NULL, &e);
}

/* The mark tells a later role which job it has to end (sweep.c). */
static int job_mark(struct job *j, struct err *e)
{
	autoclose int fd = io_open_below(j->dir_fd, j->id, O_WRONLY | O_CREAT, 0600);

	if (fd < 0 || (unlinkat(j->dir_fd, "result.json", 0) && errno != ENOENT))
		return err_set(e, ERR_INTERNAL, "prepare the build's directory");
	return 0;
}

void job_start(struct job *j, int stdin_fd)
{
	const struct conf *conf = j->role->conf;
	struct priv_build start = { .program = PRIV_PROGRAM_BUILD_STEP, .n_args = j->n_args };
	autobuf struct buf body = { 0 };
	autoclose int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	autoclose int output = -1;
	char uuid[UUID_SIZE];
	struct err e;

	rand_uuid(uuid);
	snprintf(j->id, sizeof(j->id), JOB_MARK "%s", uuid);
	memcpy(start.build, j->id, sizeof(start.build));
	start.memory_bytes = (uint64_t)conf->build_memory_mib * MIB;
	start.cpu_percent = (uint32_t)conf->build_cpu_percent;
	start.pids = (uint32_t)conf->build_pids;
	start.internet = j->net;
	list_add(&j->role->jobs, &j->in);
	j->active = true;
	if (job_mark(j, &e) || job_output_open(j, &output, &e)) {
		job_finish(j, NULL, &e);
		return;
	}
	buf_add(&body, &start, sizeof(start));
	buf_add(&body, j->args.data, j->args.size);
	request_send(j->role, j->role->priv, &j->request,
		     &(struct request_what){
			     PRIV_BUILD_START, body.data, body.size,
			     (const int[]){ stdin_fd < 0 ? null : stdin_fd, output, j->dir_fd },
			     BUILD_NUM_FDS },
		     job_started);
}

void job_kill(struct job *j)
{
	if (!j->active || j->ending)
		return;
	j->ending = true;
	if (!j->gone)
		job_clear(j);
}

void jobs_gone(struct image_role *role, const struct priv_build_gone *g)
{
	list_each(j, &role->jobs, struct job, in)
	{
		if (strncmp(j->id, g->build, sizeof(j->id)) != 0 || j->gone)
			continue;
		j->gone = true;
		j->status = g->status;
		j->oom = g->oom;
		if (!j->ending)
			job_ended(j); /* priv reports the end when all of the job is cleared */
		return;
	}
}

void jobs_lost(struct image_role *role)
{
	struct job *j;

	while ((j = list_first(&role->jobs, struct job, in))) {
		const struct err e = { ERR_INTERNAL, "the build's helper process was restarted" };

		job_finish(j, NULL, &e);
	}
}
