/* change.c - the turn of a change: judged, drafted, written, applied (change.h). */

#include "control/images/change.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/images/retry.h"
#include "control/images/tell.h"

struct changes {
	struct list fresh; /* images that are NEW */
	struct retry retry;
};

static void changes_go_on(struct control *ctl, struct image *image);

static void changes_again(void *arg)
{
	struct control *ctl = arg;

	list_each(image, &ctl->images, struct image, in_control)
	{
		if (!image->waiting)
			continue;
		image->waiting = false;
		changes_go_on(ctl, image);
	}
}

void changes_open(struct control *ctl)
{
	ctl->changes = xcalloc(1, sizeof(*ctl->changes));
	list_init(&ctl->changes->fresh);
	retry_open(&ctl->changes->retry, &ctl->loop, changes_again, ctl);
}

bool changes_create(const struct control *ctl, const char *account, const char *name)
{
	list_each(image, &ctl->changes->fresh, struct image, in_control)
	{
		if (!strcmp(image->account, account) && !strcmp(image->name, name))
			return true;
	}
	return false;
}

size_t changes_count_new(const struct control *ctl, const char *account)
{
	size_t n = 0;

	list_each(image, &ctl->changes->fresh, struct image, in_control) n +=
		!strcmp(image->account, account);
	return n;
}

static bool change_commits_build(const struct image *image)
{
	const struct change *c = list_empty(&image->changes) || !image->committing
					 ? NULL
					 : list_first(&image->changes, struct change, in_image);

	return c && c->of.version && c->of.version->state == VERSION_NEW;
}

size_t changes_count_builds(const struct control *ctl, const char *account)
{
	const struct account *a = account_find(ctl, account);
	size_t n = 0;

	list_each(image, &ctl->changes->fresh, struct image, in_control) n +=
		!strcmp(image->account, account) && change_commits_build(image);
	if (!a)
		return n;
	list_each(image, &a->images, struct image, in_account) n += change_commits_build(image);
	return n;
}

struct change *change_new(struct control *ctl, struct image *image, const struct change_ops *ops)
{
	struct change *c = xcalloc(1, sizeof(*c));

	list_init(&c->in_image);
	c->ops = ops;
	c->ctl = ctl;
	c->image = image;
	c->of.image = image;
	return c;
}

static void change_forget_draft(struct change *c)
{
	json_decref(c->tags);
	free(c->code);
	free(c->reason);
	c->tags = NULL;
	c->code = c->reason = NULL;
}

static void change_free(struct change *c)
{
	list_del(&c->in_image);
	if (c->of.version && c->of.version->state == VERSION_NEW)
		model_version_free(c->of.version);
	if (c->image && c->image->state == IMAGE_NEW)
		model_image_free(c->ctl, c->image);
	json_decref(c->by);
	change_forget_draft(c);
	free(c);
}

static void changes_free(struct list *images)
{
	list_each(image, images, struct image, in_control)
	{
		list_each(c, &image->changes, struct change, in_image) change_free(c);
	}
}

void changes_close(struct control *ctl)
{
	retry_close(&ctl->changes->retry);
	changes_free(&ctl->images);
	changes_free(&ctl->changes->fresh); /* each with its only change */
	free(ctl->changes);
	ctl->changes = NULL;
}

static void change_refuse(struct change *c, const struct err *e)
{
	list_del(&c->in_image);
	if (c->ops->happened)
		log_info("an event came too late image=%s: %s", c->image->name, e->text);
	if (c->done)
		c->done(c->arg, -1, e);
	change_free(c);
}

/* Who hears of a refusal may ask for another change of the same image, so those to refuse are taken
 * out of its list first. */
static void changes_refuse(struct image *image, bool events_too, const struct err *e)
{
	struct list refused;

	list_init(&refused);
	list_each(c, &image->changes, struct change, in_image)
	{
		if (c->ops->happened && !events_too)
			continue;
		list_del(&c->in_image);
		list_add(&refused, &c->in_image);
	}
	while (!list_empty(&refused))
		change_refuse(list_first(&refused, struct change, in_image), e);
}

void changes_end_image(struct control *ctl, struct image *image)
{
	autofree char *arn = model_image_arn(ctl, image);
	struct err e;

	err_set(&e, ERR_NOT_FOUND, "MicroVMImage not found for MicroVMImageID: %s", arn);
	changes_refuse(image, true, &e);
	model_image_free(ctl, image);
}

/* An earlier change may have removed the version, so it is looked up when the turn comes. */
static int change_find(struct change *c, struct err *e)
{
	autofree char *arn = NULL;

	if (!c->number)
		return 0;
	c->of.version = model_version(c->image, c->number);
	if (c->of.version)
		return 0;
	arn = model_image_arn(c->ctl, c->image);
	return err_set(e, ERR_NOT_FOUND,
		       "MicroVMImage not found for MicroVMImage: %s, Version: %lld.0", arn,
		       (long long)c->number);
}

/* The newest version that is active once these rows are true. */
static int64_t change_latest_active(const struct change *c)
{
	int64_t latest = 0;

	list_each(v, &c->image->versions, struct image_version, in_image)
	{
		const struct image_version *row = v == c->of.version ? &c->version_row : v;

		if (row->state == VERSION_SUCCESSFUL && row->status == VERSION_ACTIVE)
			latest = row->number;
	}
	return latest;
}

/* The newest version that failed and is not being deleted. */
static int64_t change_latest_failed(const struct change *c)
{
	int64_t latest = 0;

	list_each(v, &c->image->versions, struct image_version, in_image)
	{
		const struct image_version *row = v == c->of.version ? &c->version_row : v;

		if (row->state == VERSION_FAILED)
			latest = row->number;
	}
	return latest;
}

static void change_draft(struct change *c, const struct image_states *to)
{
	change_forget_draft(c); /* an earlier try may have left one */
	c->now_ms = clock_wall_ms();
	c->image_row = *c->image;
	c->image_row.state = to->image;
	c->image_row.updated_ms = c->now_ms;
	if (c->of.version) {
		c->version_row = *c->of.version;
		c->version_row.state = to->version;
		c->version_row.updated_ms = c->now_ms;
	}
	if (c->of.build) {
		c->build_row = *c->of.build;
		c->build_row.state = to->build;
		c->build_row.updated_ms = c->now_ms;
	}
	if (c->ops->draft)
		c->ops->draft(c);
	if (c->of.version) {
		c->image_row.latest_active = change_latest_active(c);
		c->image_row.latest_failed = change_latest_failed(c);
	}
}

static void change_put(const struct change *c, struct store_txn *t)
{
	model_put_image(t, &c->image_row);
	if (c->of.version)
		model_put_version(t, &c->version_row);
	if (c->of.build)
		model_put_build(t, &c->build_row);
}

static void change_apply(struct change *c)
{
	bool fresh_image = c->image->state == IMAGE_NEW;
	bool fresh_version = c->of.version && c->of.version->state == VERSION_NEW;

	model_image_become(c->image, &c->image_row);
	if (c->of.version)
		model_version_become(c->of.version, &c->version_row);
	if (c->of.build)
		model_build_become(c->of.build, &c->build_row);
	if (fresh_version)
		model_add_version(c->of.version);
	if (fresh_image) {
		list_del(&c->image->in_control);
		model_add_image(c->ctl, c->image);
	}
}

/* The store has refused the rows. */
static void change_failed(struct change *c, const struct err *e)
{
	struct image *image = c->image;

	log_err("a change of an image is not durable image=%s error=\"%s\"", image->name, e->text);
	image->leaving = false;
	if (c->of.version)
		c->of.version->leaving = false;
	if (c->ops->happened) {
		image->waiting = true;
		retry_later(&c->ctl->changes->retry);
		changes_refuse(image, false, e);
	} else {
		change_refuse(c, e);
	}
}

static void change_took_place(struct change *c)
{
	retry_succeeded(&c->ctl->changes->retry);
	tell_change(c->ctl, &(struct told){ c->image, &c->image_row, c->of.version, &c->version_row,
					    c->of.build, &c->build_row, c->ops->apply != NULL });
	list_del(&c->in_image);
	if (c->ops->apply)
		c->ops->apply(c);
	else
		change_apply(c);
	if (c->done)
		c->done(c->arg, 0, NULL);
	if (c->ops->follow)
		c->ops->follow(c);
}

static void change_stored(void *arg, int rc, const struct err *e)
{
	struct change *c = arg;
	struct control *ctl = c->ctl;
	struct image *image = c->image;

	image->committing = false;
	if (rc) {
		if (image->state == IMAGE_NEW)
			image = NULL; /* it goes with its only change */
		change_failed(c, e);
	} else {
		change_took_place(c);
		image = c->image;
		change_free(c);
	}
	if (image)
		changes_go_on(ctl, image);
}

static void change_commit(struct change *c, const struct image_states *to)
{
	struct store_txn *t = NULL;

	change_draft(c, to);
	if (c->drafted)
		t = c->drafted(c->arg, &c->image_row, c->of.version ? &c->version_row : NULL);
	if (!t)
		t = store_begin(c->ctl->store);
	if (c->ops->write)
		c->ops->write(c, t);
	else
		change_put(c, t);
	c->image->committing = true;
	store_commit(t, change_stored, c);
}

/* Judges the first change, and the next one if that is refused, until one is on its way. */
static void changes_go_on(struct control *ctl, struct image *image)
{
	while (!image->committing && !image->waiting && !list_empty(&image->changes)) {
		struct change *c = list_first(&image->changes, struct change, in_image);
		struct image_states to;
		struct err e;

		if (change_find(c, &e)) {
			change_refuse(c, &e);
		} else if (steps_done_already(c->ops->event, &c->of)) {
			list_del(&c->in_image);
			if (c->done)
				c->done(c->arg, 0, NULL);
			change_free(c);
		} else if (steps_next(ctl, c->ops->event, &c->of, &to, &e) ||
			   (c->ops->guard && c->ops->guard(c, &e))) {
			change_refuse(c, &e);
		} else {
			change_commit(c, &to);
		}
	}
}

void change_ask(struct change *c)
{
	struct image *image = c->image;

	if (image->state == IMAGE_NEW)
		list_add(&c->ctl->changes->fresh, &image->in_control);
	list_add(&image->changes, &c->in_image);
	image->waiting = false;
	changes_go_on(c->ctl, image);
}
