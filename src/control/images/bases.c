/* bases.c - questions about base file systems, passed to the image role and its answers back. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/images/builds.h"

/* A question about bases that the role has not answered. */
struct base_task {
	struct list in_tasks;
	uint64_t tag;
	json_t *list;
	lifecycle_done *imported;
	images_listed *listed;
	void *arg;
};

static struct base_task *bases_find(struct control *ctl, uint64_t tag)
{
	list_each(task, &builds_tasks(ctl)->bases, struct base_task, in_tasks)
	{
		if (task->tag == tag)
			return task;
	}
	return NULL;
}

static void bases_end(struct base_task *task, int rc, const struct err *e)
{
	list_del(&task->in_tasks);
	if (task->imported)
		task->imported(task->arg, rc, e);
	else
		task->listed(task->arg, rc, task->list, e);
	json_decref(task->list);
	free(task);
}

void bases_got_item(struct control *ctl, struct ipc_msg *m)
{
	const struct build_base *base = (const struct build_base *)(const void *)m->body;
	struct base_task *task = bases_find(ctl, m->head.tag);
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

void bases_got_done(struct control *ctl, struct ipc_msg *m)
{
	const struct build_result *result = (const struct build_result *)(const void *)m->body;
	struct base_task *task = bases_find(ctl, m->head.tag);
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
	struct image_tasks *tasks = builds_tasks(ctl);
	struct base_task *task = xcalloc(1, sizeof(*task));

	task->tag = ++tasks->next_tag;
	task->arg = arg;
	list_add(&tasks->bases, &task->in_tasks);
	return task;
}

static void bases_fail(struct base_task *task)
{
	struct err e;

	if (err_set(&e, ERR_INTERNAL, "The image role is not there; try again in a moment."))
		bases_end(task, -1, &e);
}

void images_import_base(struct control *ctl, const char *name, int fd, lifecycle_done *done,
			void *arg)
{
	struct base_task *task = bases_new(ctl, arg);
	struct build_base base = { 0 };

	task->imported = done;
	snprintf(base.name, sizeof(base.name), "%s", name);
	if (!ctl->image_role.open)
		bases_fail(task);
	else
		chan_uv_send(&ctl->image_role, BUILD_BASE_IMPORT, task->tag, &base, sizeof(base),
			     &fd, 1);
}

void images_list_bases(struct control *ctl, images_listed *done, void *arg)
{
	struct base_task *task = bases_new(ctl, arg);
	struct build_none none = { 0 };

	task->listed = done;
	task->list = json_array();
	if (!ctl->image_role.open)
		bases_fail(task);
	else
		chan_uv_send(&ctl->image_role, BUILD_BASE_LIST, task->tag, &none, sizeof(none),
			     NULL, 0);
}

void bases_role_back(struct image_tasks *tasks)
{
	list_each(task, &tasks->bases, struct base_task, in_tasks) bases_fail(task);
}

void bases_free(struct image_tasks *tasks)
{
	list_each(task, &tasks->bases, struct base_task, in_tasks)
	{
		json_decref(task->list);
		free(task);
	}
}
