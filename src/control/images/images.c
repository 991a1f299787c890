/* images.c - what may be asked of an image or a version: the rules beyond the tables of steps.c,
 * and what a request changes. */

#include "control/images/images.h"

#include <string.h>

#include "base/steady.h"
#include "control/channels/builder.h"
#include "control/images/bases.h"
#include "control/images/builds.h"
#include "control/images/removal.h"
#include "control/model/quotas.h"
#include "control/model/sealing.h"
#include "control/pool/pool.h"

/* New versions. */

static void images_draft_version(struct change *c)
{
	c->of.version->number = c->version_row.number = c->image->next_version;
	c->image_row.next_version++;
	c->of.version->created_ms = c->version_row.created_ms = c->now_ms;
	c->of.build->created_ms = c->build_row.created_ms = c->now_ms;
}

static int images_guard_versions(const struct change *c, struct err *e)
{
	int64_t n = 0;

	list_each(v, &c->image->versions, struct image_version, in_image) n += v->number > 0;
	if (n < quota_in(c->ctl, c->image->account, QUOTA_VERSIONS))
		return 0;
	return err_set(e, ERR_QUOTA,
		       "The maximum number of versions has been reached for this MicroVM image.");
}

static int images_guard_builds(const struct change *c, struct err *e)
{
	size_t n = builds_count(c->ctl, c->image->account) +
		   changes_count_builds(c->ctl, c->image->account);

	if ((int64_t)n < quota_in(c->ctl, c->image->account, QUOTA_BUILDS))
		return 0;
	return err_set(e, ERR_QUOTA,
		       "The maximum number of concurrent builds has been reached for this "
		       "account.");
}

/* Its row is the place that its secret members are sealed for. */
static int images_guard_seal(const struct change *c, struct err *e)
{
	return sealing_version(c->ctl, c->of.version, c->image->next_version, c->of.version->kms,
			       e);
}

static int images_guard_first(const struct change *c, struct err *e)
{
	return images_guard_builds(c, e) || images_guard_seal(c, e) ? -1 : 0;
}

/* A rebuild is the operator's, after an upgrade, and waits for its turn however many they are. */
static int images_guard_next(const struct change *c, struct err *e)
{
	return images_guard_versions(c, e) || images_guard_seal(c, e) ? -1 : 0;
}

static int images_guard_update(const struct change *c, struct err *e)
{
	return images_guard_builds(c, e) || images_guard_next(c, e) ? -1 : 0;
}

static void images_draft_image(struct change *c)
{
	images_draft_version(c);
	c->image->created_ms = c->image_row.created_ms = c->now_ms;
}

static void images_build(struct change *c)
{
	builds_queue(c->ctl, c->of.build);
}

static const struct change_ops images_create_ops = {
	.event = IMAGE_EV_CREATE,
	.guard = images_guard_first,
	.draft = images_draft_image,
	.follow = images_build,
};

static const struct change_ops images_update_ops = {
	.event = IMAGE_EV_UPDATE,
	.guard = images_guard_update,
	.draft = images_draft_version,
	.follow = images_build,
};

static const struct change_ops images_rebuild_ops = {
	.event = IMAGE_EV_REBUILD,
	.guard = images_guard_next,
	.draft = images_draft_version,
	.follow = images_build,
};

static void images_ask_version(struct control *ctl, struct image *image,
			       const struct change_ops *ops, json_t *params,
			       const struct images_asker *asker)
{
	struct change *c = change_new(ctl, image, ops);

	c->of.version = model_version_new(image, 0, params); /* numbered when its turn comes */
	c->of.build = model_build_new(c->of.version);
	model_read_version_params(ctl->conf, c->of.version);
	sealing_load_version(ctl, c->of.version);
	c->drafted = asker->drafted;
	c->done = asker->done;
	c->arg = asker->arg;
	change_ask(c);
}

void images_create(struct control *ctl, const char *account, const char *name, json_t *tags,
		   json_t *params, const struct images_asker *asker)
{
	struct image *image = model_image_new(account, name);

	image->tags = tags ? tags : json_object();
	images_ask_version(ctl, image, &images_create_ops, params, asker);
}

void images_update(struct control *ctl, struct image *image, enum image_event event, json_t *params,
		   const struct images_asker *asker)
{
	images_ask_version(ctl, image,
			   event == IMAGE_EV_REBUILD ? &images_rebuild_ops : &images_update_ops,
			   params, asker);
}

bool images_name_taken(struct control *ctl, const char *account, const char *name)
{
	return model_image_by_name(ctl, account, name) || changes_create(ctl, account, name);
}

size_t images_count(const struct control *ctl, const char *account)
{
	const struct account *a = account_find(ctl, account);

	return (a ? a->n_images : 0) + changes_count_new(ctl, account);
}

bool images_failed(const struct image *image)
{
	return image->state == IMAGE_CREATE_FAILED || image->state == IMAGE_UPDATE_FAILED;
}

struct image_version *images_newest_made(struct image *image)
{
	struct image_version *newest = NULL;

	list_each(v, &image->versions, struct image_version, in_image)
	{
		if (v->state == VERSION_SUCCESSFUL)
			newest = v;
	}
	return newest;
}

/* Deletion.  The row that says DELETING may be durable before memory says so.  From the draft on,
 * therefore, no microVM starts from what is leaving. */

static void images_ask(struct control *ctl, struct image *image, int64_t number,
		       const struct change_ops *ops, images_done *done, void *arg)
{
	struct change *c = change_new(ctl, image, ops);

	c->number = number;
	c->done = done;
	c->arg = arg;
	change_ask(c);
}

static int images_guard_delete(const struct change *c, struct err *e)
{
	list_each(v, &c->image->versions, struct image_version, in_image)
	{
		if (v->n_microvms)
			return err_set(e, ERR_INVALID,
				       "Cannot delete microvm image with running microvms.");
	}
	return 0;
}

static void images_draft_delete(struct change *c)
{
	c->image->leaving = true;
}

static void images_deleted(struct change *c)
{
	list_each(v, &c->image->versions, struct image_version, in_image) removal_begin(c->ctl, v);
}

static const struct change_ops images_delete_ops = {
	.event = IMAGE_EV_DELETE,
	.guard = images_guard_delete,
	.draft = images_draft_delete,
	.follow = images_deleted,
};

void images_delete(struct control *ctl, struct image *image, images_done *done, void *arg)
{
	images_ask(ctl, image, 0, &images_delete_ops, done, arg);
}

static int images_guard_delete_version(const struct change *c, struct err *e)
{
	unsigned left = 0;

	list_each(v, &c->image->versions, struct image_version, in_image)
	{
		left += v->state != VERSION_DELETING;
	}
	if (left == 1)
		return err_set(e, ERR_INVALID,
			       "This is the last version. Please delete the entire image");
	if (c->of.version->n_microvms)
		return err_set(e, ERR_INVALID,
			       "Cannot delete microvm image version with running microvms.");
	return 0;
}

static void images_draft_delete_version(struct change *c)
{
	c->of.version->leaving = true;
}

static void images_version_deleted(struct change *c)
{
	removal_begin(c->ctl, c->of.version);
}

static const struct change_ops images_delete_version_ops = {
	.event = IMAGE_EV_DELETE_VERSION,
	.guard = images_guard_delete_version,
	.draft = images_draft_delete_version,
	.follow = images_version_deleted,
};

void images_delete_version(struct control *ctl, struct image_version *v, images_done *done,
			   void *arg)
{
	images_ask(ctl, v->image, v->number, &images_delete_version_ops, done, arg);
}

/* Status and tags. */

static void images_draft_active(struct change *c)
{
	c->version_row.status = VERSION_ACTIVE;
}

static void images_draft_inactive(struct change *c)
{
	c->version_row.status = VERSION_INACTIVE;
}

static void images_activated(struct change *c)
{
	if (c->of.version->status == VERSION_ACTIVE)
		c->of.version->recent_ms = steady_ms();
	pool_wake(c->ctl);
}

static const struct change_ops images_status_ops[VERSION_NUM_STATUSES] = {
	[VERSION_INACTIVE] = {
		.event = IMAGE_EV_DEACTIVATE,
		.draft = images_draft_inactive,
		.follow = images_activated,
	},
	[VERSION_ACTIVE] = {
		.event = IMAGE_EV_ACTIVATE,
		.draft = images_draft_active,
		.follow = images_activated,
	},
};

void images_set_status(struct control *ctl, struct image_version *v, enum version_status status,
		       images_done *done, void *arg)
{
	images_ask(ctl, v->image, v->number, &images_status_ops[status], done, arg);
}

static void images_draft_tags(struct change *c)
{
	c->tags = c->image->tags ? json_deep_copy(c->image->tags) : json_object();
	c->edit(c->tags, c->by);
	c->image_row.tags = c->tags;
}

static const struct change_ops images_tags_ops = {
	.event = IMAGE_EV_TAG,
	.draft = images_draft_tags,
};

void images_set_tags(struct control *ctl, struct image *image, images_tags_edit *edit,
		     const json_t *by, images_done *done, void *arg)
{
	struct change *c = change_new(ctl, image, &images_tags_ops);

	c->edit = edit;
	c->by = json_deep_copy(by);
	c->done = done;
	c->arg = arg;
	change_ask(c);
}

/* The image role. */

static void images_builder_up(struct control *ctl)
{
	bases_builder_up(ctl);
	list_each(image, &ctl->images, struct image, in_control)
	{
		list_each(v, &image->versions, struct image_version, in_image)
		{
			if (image->state == IMAGE_DELETING || v->state == VERSION_DELETING)
				removal_begin(ctl, v);
		}
	}
	builds_builder_up(ctl);
}

static const struct builder_events images_builder_events = {
	.up = images_builder_up,
	.step = builds_got_step,
	.done = builds_got_done,
	.removed = removal_done,
	.base_item = bases_got_item,
	.base_done = bases_got_done,
};

void images_open(struct control *ctl)
{
	ctl->builder_events = &images_builder_events;
	changes_open(ctl);
	bases_open(ctl);
	builds_open(ctl);
}

void images_close(struct control *ctl)
{
	changes_close(ctl);
	builds_close(ctl);
	bases_close(ctl);
}
