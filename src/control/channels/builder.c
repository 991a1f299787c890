#include "control/channels/builder.h"

#include <stdio.h>
#include <string.h>

bool builder_there(const struct control *ctl)
{
	return ctl->image_role.open;
}

static struct build_version builder_version(const struct image_version *v)
{
	struct build_version name = { .version = (uint32_t)v->number };

	memcpy(name.image, v->image->id, sizeof(name.image));
	return name;
}

static struct build_name builder_name(const struct build *b)
{
	struct build_name name = { 0 };

	memcpy(name.build, b->id, sizeof(name.build));
	return name;
}

void builder_start(struct control *ctl, const struct build *b, int spec_fd)
{
	struct build_start start = { builder_name(b), builder_version(b->version) };

	chan_uv_send(&ctl->image_role, BUILD_START, 0, &start, sizeof(start), &spec_fd, 1);
}

void builder_cancel(struct control *ctl, const struct build *b)
{
	struct build_name name = builder_name(b);

	chan_uv_send(&ctl->image_role, BUILD_CANCEL, 0, &name, sizeof(name), NULL, 0);
}

void builder_remove(struct control *ctl, const struct image_version *v)
{
	struct build_version name = builder_version(v);

	chan_uv_send(&ctl->image_role, BUILD_REMOVE, 0, &name, sizeof(name), NULL, 0);
}

void builder_import_base(struct control *ctl, uint64_t tag, const char *name, int fd)
{
	struct build_base base = { 0 };

	snprintf(base.name, sizeof(base.name), "%s", name);
	chan_uv_send(&ctl->image_role, BUILD_BASE_IMPORT, tag, &base, sizeof(base), &fd, 1);
}

void builder_change_base(struct control *ctl, enum build_type type, uint64_t tag, const char *name)
{
	struct build_base base = { 0 };

	snprintf(base.name, sizeof(base.name), "%s", name);
	chan_uv_send(&ctl->image_role, type, tag, &base, sizeof(base), NULL, 0);
}

void builder_list_bases(struct control *ctl, uint64_t tag)
{
	struct build_none none = { 0 };

	chan_uv_send(&ctl->image_role, BUILD_BASE_LIST, tag, &none, sizeof(none), NULL, 0);
}

void builder_on_up(struct control *ctl)
{
	ctl->builder_events->up(ctl);
}

static void builder_on_step(struct control *ctl, const struct ipc_msg *m)
{
	ctl->builder_events->step(ctl, (const void *)m->body);
}

static void builder_on_done(struct control *ctl, const struct ipc_msg *m)
{
	ctl->builder_events->done(ctl, (const void *)m->body);
}

static void builder_on_removed(struct control *ctl, const struct ipc_msg *m)
{
	const struct build_version *name = (const void *)m->body;
	char image[UUID_SIZE];

	snprintf(image, sizeof(image), "%.*s", (int)strnlen(name->image, UUID_SIZE - 1),
		 name->image);
	ctl->builder_events->removed(ctl, image, name->version);
}

static void builder_on_base_item(struct control *ctl, const struct ipc_msg *m)
{
	ctl->builder_events->base_item(ctl, m->head.tag, (const void *)m->body);
}

static void builder_on_base_done(struct control *ctl, const struct ipc_msg *m)
{
	ctl->builder_events->base_done(ctl, m->head.tag, (const void *)m->body);
}

static void (*const builder_messages[BUILD_NUM_TYPES])(struct control *, const struct ipc_msg *) = {
	[BUILD_STEP] = builder_on_step,           [BUILD_DONE] = builder_on_done,
	[BUILD_REMOVED] = builder_on_removed,     [BUILD_BASE_ITEM] = builder_on_base_item,
	[BUILD_BASE_DONE] = builder_on_base_done,
};

void builder_on_message(struct control *ctl, struct ipc_msg *m)
{
	if (m->head.type < BUILD_NUM_TYPES && builder_messages[m->head.type])
		builder_messages[m->head.type](ctl, m);
}
