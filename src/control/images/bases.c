/* bases.c - questions about base file systems, passed to the image role and its answers back. */

#include "control/images/bases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/channels/builder.h"

/* A question that the role has not answered. */
struct base_task {
	struct list in_tasks;
	uint64_t tag;
	json_t *list;
	images_done *done;
	bases_listed *listed;
	void *arg;
};

struct bases {
	struct list tasks;
	uint64_t next_tag;
};

void bases_open(struct control *ctl)
{
	ctl->bases = xcalloc(1, sizeof(*ctl->bases));
	list_init(&ctl->bases->tasks);
}

static struct base_task *bases_find(struct control *ctl, uint64_t tag)
{
	list_each(task, &ctl->bases->tasks, struct base_task, in_tasks)
	{
		if (task->tag == tag)
			return task;
	}
	return NULL;
}

static void bases_end(struct base_task *task, int rc, const struct err *e)
{
	list_del(&task->in_tasks);
	if (task->done)
		task->done(task->arg, rc, e);
	else
		task->listed(task->arg, rc, task->list, e);
	json_decref(task->list);
	free(task);
}

void bases_got_item(struct control *ctl, uint64_t tag, const struct build_base *base)
{
	struct base_task *task = bases_find(ctl, tag);
	json_t *item;

	if (!task || !task->list)
		return;
	item = json_pack("{s:s%,s:s%,s:I,s:f}", "name", base->name,
			 strnlen(base->name, sizeof(base->name)), "digest", base->digest,
			 strnlen(base->digest, sizeof(base->digest)), "sizeInBytes",
			 (json_int_t)base->bytes, "createdAt", (double)base->created_ms / 1000.0);
	if (item)
		json_array_append_new(task->list, item);
}

void bases_got_done(struct control *ctl, uint64_t tag, const struct build_result *result)
{
	struct base_task *task = bases_find(ctl, tag);
	struct err e = { .kind = ERR_INTERNAL };

	if (!task)
		return;
	if (result->kind < ERR_NUM_KINDS)
		e.kind = (enum err_kind)result->kind;
	snprintf(e.text, sizeof(e.text), "%.*s", (int)strnlen(result->text, sizeof(result->text)),
		 result->text);
	bases_end(task, result->ok ? 0 : -1, &e);
}

static struct base_task *bases_new(struct control *ctl, void *arg)
{
	struct base_task *task = xcalloc(1, sizeof(*task));

	task->tag = ++ctl->bases->next_tag;
	task->arg = arg;
	list_add(&ctl->bases->tasks, &task->in_tasks);
	return task;
}

static void bases_fail(struct base_task *task)
{
	struct err e;

	if (err_set(&e, ERR_INTERNAL, "The image role is restarting; try again in a moment."))
		bases_end(task, -1, &e);
}

void bases_import(struct control *ctl, const char *name, int fd, images_done *done, void *arg)
{
	struct base_task *task = bases_new(ctl, arg);

	task->done = done;
	if (builder_there(ctl))
		builder_import_base(ctl, task->tag, name, fd);
	else
		bases_fail(task);
}

static void bases_change(struct control *ctl, enum build_type type, const char *name,
			 images_done *done, void *arg)
{
	struct base_task *task = bases_new(ctl, arg);

	task->done = done;
	if (builder_there(ctl))
		builder_change_base(ctl, type, task->tag, name);
	else
		bases_fail(task);
}

void bases_remove(struct control *ctl, const char *name, images_done *done, void *arg)
{
	bases_change(ctl, BUILD_BASE_REMOVE, name, done, arg);
}

void bases_pull(struct control *ctl, const char *name, images_done *done, void *arg)
{
	bases_change(ctl, BUILD_BASE_PULL, name, done, arg);
}

void bases_list(struct control *ctl, bases_listed *done, void *arg)
{
	struct base_task *task = bases_new(ctl, arg);

	task->listed = done;
	task->list = json_array();
	if (builder_there(ctl))
		builder_list_bases(ctl, task->tag);
	else
		bases_fail(task);
}

void bases_builder_up(struct control *ctl)
{
	list_each(task, &ctl->bases->tasks, struct base_task, in_tasks) bases_fail(task);
}

void bases_close(struct control *ctl)
{
	list_each(task, &ctl->bases->tasks, struct base_task, in_tasks)
	{
		json_decref(task->list);
		free(task);
	}
	free(ctl->bases);
	ctl->bases = NULL;
}
