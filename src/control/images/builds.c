/* builds.c - the queue of builds, and how their beginning and their end become durable. */

#include "control/images/builds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/turns.h"
#include "control/channels/builder.h"
#include "control/images/build_progress.h"
#include "control/images/build_result.h"
#include "control/images/build_spec.h"
#include "control/images/retry.h"
#include "control/model/log_stream.h"
#include "control/model/sealing.h"

#define BUILDS_CANCELLED "CANCELLED" /* the code of a build that somebody ended */

enum task_state {
	TASK_WAITS,  /* for room, or for the image role */
	TASK_BEGINS, /* IN_PROGRESS is on its way to the store */
	TASK_SENT,   /* the image role works on it */
	TASK_ENDS,   /* its result is on its way to the store */
};

struct build_task {
	struct turn in_queue;
	struct control *ctl;
	struct build *build;
	enum task_state state;
	bool cancelled; /* FAILED is on its way to the store */
	images_done *cancel_done;
	void *cancel_arg;
};

struct builds {
	struct turns queue; /* of struct build_task; accounts take turns */
	struct retry retry; /* of what could not be sent */
};

static void builds_pump(struct control *ctl);

static void builds_add(struct control *ctl, struct build *b)
{
	struct build_task *task = xcalloc(1, sizeof(*task));

	task->ctl = ctl;
	task->build = b;
	task->in_queue.owner = account_of(ctl, b->version->image->account);
	turns_add(&ctl->builds->queue, &task->in_queue);
}

static void builds_drop(struct build_task *task)
{
	list_del(&task->in_queue.in);
	free(task);
}

bool builds_ended(const struct build *b)
{
	return b->state == BUILD_SUCCESSFUL || b->state == BUILD_FAILED;
}

static void builds_again(void *arg)
{
	builds_pump(arg);
}

static void builds_each(struct control *ctl, void (*each)(struct control *ctl, struct build *b))
{
	list_each(image, &ctl->images, struct image, in_control)
	{
		list_each(v, &image->versions, struct image_version, in_image)
		{
			list_each(b, &v->builds, struct build, in_version) each(ctl, b);
		}
	}
}

struct build *builds_find(struct control *ctl, const char *id)
{
	list_each(image, &ctl->images, struct image, in_control)
	{
		list_each(v, &image->versions, struct image_version, in_image)
		{
			list_each(b, &v->builds, struct build, in_version)
			{
				if (!strcmp(b->id, id))
					return b;
			}
		}
	}
	return NULL;
}

static void builds_take_up(struct control *ctl, struct build *b)
{
	if (!builds_ended(b))
		builds_add(ctl, b);
}

void builds_open(struct control *ctl)
{
	ctl->builds = xcalloc(1, sizeof(*ctl->builds));
	turns_init(&ctl->builds->queue);
	retry_open(&ctl->builds->retry, &ctl->loop, builds_again, ctl);
	builds_each(ctl, builds_take_up);
}

void builds_close(struct control *ctl)
{
	retry_close(&ctl->builds->retry);
	list_each(task, &ctl->builds->queue.waiting, struct build_task, in_queue.in)
		builds_drop(task);
	free(ctl->builds);
	ctl->builds = NULL;
}

static struct change *builds_change(struct build_task *task, const struct change_ops *ops,
				    images_done *done)
{
	struct build *b = task->build;
	struct change *c = change_new(task->ctl, b->version->image, ops);

	c->number = b->version->number;
	c->of.build = b;
	c->done = done;
	c->arg = task;
	return c;
}

/* The beginning. */

static void builds_settle(struct build_task *task, const struct build_done *done);

/* To try again would not help until somebody has seen to the key, who then updates the image. */
static void builds_fail_sealed(struct build_task *task, const struct err *e)
{
	struct build_done done = { .code = "INTERNAL_PLATFORM_ERROR" };

	snprintf(done.reason, sizeof(done.reason),
		 "The environment variables are sealed and cannot be opened: %.400s", e->text);
	builds_settle(task, &done);
}

static void builds_send(struct build_task *task)
{
	struct control *ctl = task->ctl;
	struct build *b = task->build;
	json_auto_t *params = NULL;
	autoclose int fd = -1;
	struct err e;

	if (!builder_there(ctl))
		return; /* builds_builder_up */
	params = sealing_version_params(ctl, b->version, &e);
	if (!params) {
		builds_fail_sealed(task, &e);
		return;
	}
	fd = build_spec_fd(ctl, b->version, params);
	if (fd < 0) {
		log_err("there is no memory for a build spec: it is tried again build=%s", b->id);
		retry_later(&ctl->builds->retry);
		return;
	}
	retry_succeeded(&ctl->builds->retry);
	builder_start(ctl, b, fd);
	task->state = TASK_SENT;
	log_info("build begins image=%s version=%lld build=%s", b->version->image->name,
		 (long long)b->version->number, b->id);
}

/* An image is not changed by the fact that a build of it begins. */
static void builds_draft_begin(struct change *c)
{
	c->image_row.updated_ms = c->image->updated_ms;
}

static const struct change_ops builds_begin_ops = {
	.event = IMAGE_EV_BUILD_BEGINS,
	.happened = true,
	.draft = builds_draft_begin,
};

static void builds_begun(void *arg, int rc, const struct err *e)
{
	struct build_task *task = arg;

	(void)e;
	task->state = TASK_WAITS;
	if (!rc && !task->cancelled)
		builds_send(task);
}

static void builds_begin(struct build_task *task)
{
	task->state = TASK_BEGINS;
	change_ask(builds_change(task, &builds_begin_ops, builds_begun));
}

static void builds_pump(struct control *ctl)
{
	struct turns *queue = &ctl->builds->queue;
	int64_t room = ctl->conf->build_at_once;

	if (!builder_there(ctl))
		return;
	list_each(task, &queue->waiting, struct build_task, in_queue.in)
	{
		if (room-- <= 0)
			break;
		if (task->state != TASK_WAITS || task->cancelled)
			continue;
		turns_serve(queue, &task->in_queue);
		if (task->build->state == BUILD_PENDING)
			builds_begin(task);
		else
			builds_send(task);
	}
}

size_t builds_count(const struct control *ctl, const char *account)
{
	size_t n = 0;

	list_each(task, &ctl->builds->queue.waiting, struct build_task, in_queue.in) n +=
		!strcmp(task->build->version->image->account, account);
	return n;
}

void builds_queue(struct control *ctl, struct build *b)
{
	builds_add(ctl, b);
	builds_pump(ctl);
}

/* A version that was cancelled has no files. The image role may have made it before it heard of the
 * cancel. */
static void builds_remove_late(struct control *ctl, struct build *b)
{
	if (builder_there(ctl) && b->state == BUILD_FAILED && b->code &&
	    !strcmp(b->code, BUILDS_CANCELLED))
		builder_remove(ctl, b->version);
}

void builds_builder_up(struct control *ctl)
{
	list_each(task, &ctl->builds->queue.waiting, struct build_task, in_queue.in)
	{
		if (task->state == TASK_SENT)
			task->state = TASK_WAITS;
	}
	builds_each(ctl, builds_remove_late);
	builds_pump(ctl);
}

/* The end. */

static void builds_settled(void *arg, int rc, const struct err *e)
{
	struct build_task *task = arg;
	struct control *ctl = task->ctl;
	struct build *b = task->build;

	(void)e;
	if (!rc)
		log_info("build ended image=%s version=%lld build=%s state=%s reason=\"%s\"",
			 b->version->image->name, (long long)b->version->number, b->id,
			 build_state_name[b->state], b->reason ? b->reason : "");
	else
		builds_remove_late(ctl, b);
	if (builds_ended(b))
		log_stream_add_build(ctl, b);
	build_progress_stop(b, clock_mono_ms());
	builds_drop(task);
	builds_pump(ctl);
}

static void builds_settle(struct build_task *task, const struct build_done *done)
{
	const struct change_ops *ops = done->ok ? &build_result_built : &build_result_failed;
	struct change *c = builds_change(task, ops, builds_settled);

	task->state = TASK_ENDS;
	c->result = *done;
	change_ask(c);
}

static struct build_task *builds_task(struct control *ctl, const char build[UUID_SIZE])
{
	list_each(task, &ctl->builds->queue.waiting, struct build_task, in_queue.in)
	{
		if (!memcmp(task->build->id, build, UUID_SIZE))
			return task;
	}
	return NULL;
}

void builds_got_done(struct control *ctl, const struct build_done *done)
{
	struct build_task *task = builds_task(ctl, done->name.build);
	char id[UUID_SIZE];
	struct build *b;

	snprintf(id, sizeof(id), "%.*s", (int)strnlen(done->name.build, UUID_SIZE - 1),
		 done->name.build);
	b = task ? NULL : builds_find(ctl, id);
	if (task && task->state == TASK_SENT)
		builds_settle(task, done);
	else if (b && done->ok)
		builds_remove_late(ctl, b);
}

void builds_got_step(struct control *ctl, const struct build_step *step)
{
	struct build_task *task = builds_task(ctl, step->name.build);

	if (!task)
		return;
	build_progress_note(task->build, step, clock_mono_ms());
}

static void builds_cancelled(void *arg, int rc, const struct err *e)
{
	struct build_task *task = arg;
	struct control *ctl = task->ctl;
	struct build *b = task->build;
	images_done *done = task->cancel_done;
	void *done_arg = task->cancel_arg;

	task->cancelled = false;
	/* The image role may have heard of the build. A full disk is no reason to go on with what
	 * fills it: the build ends all the same, and that is written when there is room. */
	if (task->state >= TASK_SENT && builder_there(ctl)) {
		builder_cancel(ctl, b);
		rc = 0;
	}
	if (b->state == BUILD_FAILED) {
		log_info("build cancelled image=%s version=%lld build=%s", b->version->image->name,
			 (long long)b->version->number, b->id);
		log_stream_add_build(ctl, b);
		build_progress_stop(b, clock_mono_ms());
		if (task->state != TASK_ENDS) /* builds_settled */
			builds_drop(task);
	}
	done(done_arg, rc, e);
	builds_pump(ctl);
}

/* The store hears of it first, so that no restart of control or of the image role brings the build
 * back. A result that comes meanwhile takes its turn behind (change.h), and is too late then. */
static void builds_cancel_task(struct build_task *task, images_done *done, void *arg)
{
	struct change *c = builds_change(task, &build_result_cancelled, builds_cancelled);

	c->result = (struct build_done){ .code = BUILDS_CANCELLED,
					 .reason = "The build was cancelled." };
	task->cancelled = true;
	task->cancel_done = done;
	task->cancel_arg = arg;
	change_ask(c);
}

void builds_cancel(struct control *ctl, struct build *b, images_done *done, void *arg)
{
	struct build_task *task = builds_task(ctl, b->id);
	struct err e;

	if (task && task->cancelled) {
		err_set(&e, ERR_CONFLICT, "The build %s is being cancelled.", b->id);
		done(arg, -1, &e);
	} else if (!task || task->state == TASK_ENDS) {
		done(arg, 0, NULL); /* it has ended already */
	} else {
		builds_cancel_task(task, done, arg);
	}
}
