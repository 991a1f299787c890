/* removal.c - the image role removes the files of a version; then the rows follow. */

#include "control/images/removal.h"

#include "control/channels/builder.h"
#include "control/images/change.h"
#include "control/microvm/lifecycle.h"
#include "control/model/log_stream.h"
#include "control/pool/pool.h"

void removal_begin(struct control *ctl, struct image_version *v)
{
	pool_forget(v);
	if (builder_there(ctl))
		builder_remove(ctl, v);
}

static bool removal_is_last(const struct change *c)
{
	return c->image->state == IMAGE_DELETING &&
	       c->image->versions.next == c->image->versions.prev;
}

static void removal_write(struct change *c, struct store_txn *t)
{
	lifecycle_keep_ended(c->ctl, c->of.version, t);
	list_each(b, &c->of.version->builds, struct build, in_version)
	{
		if (log_stream_shown(b->stream))
			log_stream_put(t, b->stream);
	}
	store_del_version(t, c->image->id, c->number);
	if (removal_is_last(c))
		store_del_image(t, c->image->id);
	else
		model_put_image(t, &c->image_row);
}

static void removal_apply(struct change *c)
{
	bool last = removal_is_last(c);

	lifecycle_part_ended(c->ctl, c->of.version);
	pool_forget(
		c->of.version); /* nothing may point at it, whoever asked for its template last */
	list_each(b, &c->of.version->builds, struct build, in_version)
	{
		if (log_stream_shown(b->stream))
			log_stream_keep(b->stream);
	}
	model_version_free(c->of.version);
	c->of.version = NULL;
	model_image_become(c->image, &c->image_row);
	if (!last)
		return;
	changes_end_image(c->ctl, c->image);
	c->image = NULL;
}

static const struct change_ops removal_of_version = {
	.event = IMAGE_EV_VERSION_REMOVED,
	.happened = true,
	.write = removal_write,
	.apply = removal_apply,
};

static const struct change_ops removal_of_image = {
	.event = IMAGE_EV_REMOVED,
	.happened = true,
	.write = removal_write,
	.apply = removal_apply,
};

/* The files are gone: now the rows, and the image's with its last version. */
void removal_done(struct control *ctl, const char *id, int64_t version)
{
	struct image *image = model_image_by_id(ctl, id);
	const struct image_version *v = image ? model_version(image, version) : NULL;
	struct change *c;

	/* Of a build that was cancelled too late, the files alone go (builds.c). */
	if (!v || (v->state == VERSION_FAILED && image->state != IMAGE_DELETING))
		return;
	c = change_new(ctl, image,
		       image->state == IMAGE_DELETING ? &removal_of_image : &removal_of_version);
	c->number = version;
	change_ask(c);
}
