#include "objects/commit.h"

#include <string.h>

#include "objects/discard.h"
#include "objects/object.h"
#include "objects/record.h"

static bool commit_turn(struct request *r)
{
	return request_bucket_stays(r) && object_may_write(r, bucket_find(r->bucket, r->key));
}

static void commit_run(struct request *r)
{
	struct commit *c = &r->commit;

	r->rc = record_put(r->bucket->meta, c->name, c->text, &c->unsure);
}

static void commit_done(struct request *r)
{
	struct commit *c = &r->commit;
	struct object *o = c->object, *old;
	struct err e;

	if (r->rc) {
		if (c->unsure) /* a restart may find the record, so its bytes must stay */
			draft_keep(&r->draft);
		store_fail(&e, -r->rc, "write the record of an object");
		answer_err(r, FAULT_INTERNAL, &e);
		draft_drop(&r->s3->store, &r->draft);
		return;
	}
	draft_keep(&r->draft);
	old = bucket_insert(r->bucket, o);
	c->object = NULL;
	if (old)
		discard_data(&r->s3->store, r->bucket, old->data);
	object_free(old);
	c->done(r, o);
}

static const struct step commit_step = {
	.lane = STORE_CHANGES,
	.turn = commit_turn,
	.run = commit_run,
	.done = commit_done,
};

void commit_start(struct request *r, json_t *meta,
		  void (*done)(struct request *r, const struct object *o))
{
	struct commit *c = &r->commit;
	struct err e;

	c->object = meta ? object_of(meta) : NULL;
	c->text = meta ? json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	c->done = done;
	json_decref(meta);
	if (!c->object || !c->text) {
		err_set(&e, ERR_INTERNAL, "the record of an object cannot be made");
		answer_err(r, FAULT_INTERNAL, &e);
		return;
	}
	sha256_hex(r->key, strlen(r->key), c->name);
	request_step(r, &commit_step);
}
