/* images.c - the rows of images and versions, and what may be done to them in which state. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/images/builds.h"
#include "control/pool/pool.h"

/* What a change replaced, for the case that the store refuses it. */
struct change {
	struct control *ctl;
	struct image *image;
	struct image_version *v;
	const char *image_state, *version_state, *status;
	int64_t latest_active;
	json_t *tags; /* NULL: not changed */
	bool created, removes, activates;
	lifecycle_done *done;
	void *arg;
};

static bool is(const char *state, const char *word)
{
	return !strcmp(state, word);
}

static struct change *change_new(struct control *ctl, struct image *image, struct image_version *v,
				 lifecycle_done *done, void *arg)
{
	struct change *c = xcalloc(1, sizeof(*c));

	c->ctl = ctl;
	c->image = image;
	c->image_state = image->state;
	c->latest_active = image->latest_active;
	c->v = v;
	c->version_state = v ? v->state : NULL;
	c->status = v ? v->status : NULL;
	c->done = done;
	c->arg = arg;
	return c;
}

static void change_undo(struct change *c)
{
	c->image->state = c->image_state;
	c->image->latest_active = c->latest_active;
	if (c->v) {
		c->v->state = c->version_state;
		c->v->status = c->status;
	}
	if (c->tags) {
		json_decref(c->image->tags);
		c->image->tags = json_incref(c->tags);
	}
}

static void change_follow(struct change *c)
{
	if (c->activates)
		pool_wake(c->ctl);
	if (!c->removes)
		return;
	list_each(v, &c->image->versions, struct image_version, in_image)
	{
		if (is(c->image->state, "DELETING") || is(v->state, "DELETING"))
			builds_remove(c->ctl, v);
	}
}

static void change_stored(void *arg, int rc, const struct err *e)
{
	struct change *c = arg;

	if (rc)
		change_undo(c);
	c->done(c->arg, rc, e);
	if (!rc)
		change_follow(c);
	json_decref(c->tags);
	free(c);
}

static void change_commit(struct change *c)
{
	struct store_txn *t = store_begin(c->ctl->store);
	int64_t now = clock_wall_ms();

	c->image->updated_ms = now;
	model_put_image(t, c->image);
	if (c->v) {
		c->v->updated_ms = now;
		model_put_version(t, c->v);
	}
	store_commit(t, change_stored, c);
}

static void refuse(lifecycle_done *done, void *arg, enum err_kind kind, const char *fmt,
		   const char *what)
{
	struct err e;

	if (err_set(&e, kind, "%s%s", fmt, what))
		done(arg, -1, &e);
}

void images_find_active(struct image *image)
{
	struct image_version *v = model_active_version(image);

	image->latest_active = v ? v->number : 0;
}

struct image_version *images_next(struct control *ctl, struct image *image, json_t *params)
{
	struct image_version *v = model_version_new(image, image->next_version++, params);
	struct build *b = model_build_new(v);

	v->state = b->state = "PENDING";
	v->status = "INACTIVE"; /* until it is built */
	model_read_version_params(ctl->conf, v);
	return v;
}

struct image_version *images_new(struct control *ctl, const char *name, json_t *tags,
				 json_t *params)
{
	struct image *image = model_image_new(ctl, name);

	image->state = "CREATING";
	image->tags = tags ? tags : json_object();
	return images_next(ctl, image, params);
}

static void images_started(void *arg, int rc, const struct err *e)
{
	struct change *c = arg;

	if (rc && c->created) {
		model_image_free(c->image);
	} else if (rc) {
		model_version_free(c->v);
		c->image->state = c->image_state;
	} else {
		list_each(b, &c->v->builds, struct build, in_version) builds_queue(c->ctl, b);
	}
	c->done(c->arg, rc, e);
	free(c);
}

void images_start(struct control *ctl, struct image_version *v, struct store_txn *with,
		  lifecycle_done *done, void *arg)
{
	struct change *c = change_new(ctl, v->image, v, done, arg);
	struct store_txn *t = with ? with : store_begin(ctl->store);

	c->created = is(v->image->state, "CREATING");
	if (!c->created)
		v->image->state = "UPDATING";
	v->image->updated_ms = v->created_ms;
	model_put_image(t, v->image);
	model_put_version(t, v);
	list_each(b, &v->builds, struct build, in_version) model_put_build(t, b);
	store_commit(t, images_started, c);
}

void images_delete(struct control *ctl, struct image *image, lifecycle_done *done, void *arg)
{
	autofree char *arn = model_image_arn(ctl, image);
	struct change *c;

	if (is(image->state, "DELETING")) {
		done(arg, 0, NULL);
		return;
	}
	if (is(image->state, "CREATING") || is(image->state, "UPDATING")) {
		refuse(done, arg, ERR_INVALID,
		       "Cannot delete MicroVM image in its current state: ", arn);
		return;
	}
	list_each(v, &image->versions, struct image_version, in_image)
	{
		if (v->n_microvms) {
			refuse(done, arg, ERR_INVALID,
			       "Cannot delete microvm image with running microvms.", "");
			return;
		}
	}
	c = change_new(ctl, image, NULL, done, arg);
	c->removes = true;
	image->state = "DELETING";
	change_commit(c);
}

static unsigned images_count_left(const struct image *image)
{
	unsigned n = 0;

	list_each(v, &image->versions, struct image_version, in_image)
	{
		n += !is(v->state, "DELETING");
	}
	return n;
}

bool images_busy(const struct image *image)
{
	return is(image->state, "CREATING") || is(image->state, "UPDATING") ||
	       is(image->state, "DELETING");
}

struct image_version *images_newest_made(struct image *image)
{
	struct image_version *newest = NULL;

	list_each(v, &image->versions, struct image_version, in_image)
	{
		if (is(v->state, "SUCCESSFUL"))
			newest = v;
	}
	return newest;
}

void images_delete_version(struct control *ctl, struct image_version *v, lifecycle_done *done,
			   void *arg)
{
	struct change *c;

	if (is(v->state, "DELETING")) {
		done(arg, 0, NULL);
		return;
	}
	if (images_busy(v->image)) {
		refuse(done, arg, ERR_CONFLICT,
		       "MicroVM Image is already in state: ", v->image->state);
		return;
	}
	if (images_count_left(v->image) == 1) {
		refuse(done, arg, ERR_INVALID,
		       "This is the last version. Please delete the entire image", "");
		return;
	}
	if (v->n_microvms) {
		refuse(done, arg, ERR_INVALID,
		       "Cannot delete microvm image version with running microvms.", "");
		return;
	}
	c = change_new(ctl, v->image, v, done, arg);
	c->removes = true;
	v->image->state = "UPDATING";
	v->state = "DELETING";
	images_find_active(v->image);
	change_commit(c);
}

void images_set_status(struct control *ctl, struct image_version *v, const char *status,
		       lifecycle_done *done, void *arg)
{
	bool active = is(status, "ACTIVE");
	struct change *c;

	if (images_busy(v->image)) {
		refuse(done, arg, ERR_CONFLICT,
		       "MicroVM Image is already in state: ", v->image->state);
		return;
	}
	if (active && !is(v->state, "SUCCESSFUL")) {
		refuse(done, arg, ERR_INVALID,
		       "Only a SUCCESSFUL version can be ACTIVE; this one is in state: ", v->state);
		return;
	}
	c = change_new(ctl, v->image, v, done, arg);
	c->activates = true;
	v->status = active ? "ACTIVE" : "INACTIVE";
	if (active)
		v->recent_ms = clock_wall_ms();
	images_find_active(v->image);
	change_commit(c);
}

void images_set_tags(struct control *ctl, struct image *image, json_t *tags, lifecycle_done *done,
		     void *arg)
{
	struct change *c = change_new(ctl, image, NULL, done, arg);

	c->tags = image->tags ? image->tags : json_object();
	image->tags = tags;
	change_commit(c);
}
