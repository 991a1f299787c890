/* delete.c - DeleteObject and DeleteObjects: the records go first, with one sync for all of them,
 * and then the bytes. */

#include <stdlib.h>
#include <string.h>

#include "objects/authorize.h"
#include "objects/discard.h"
#include "objects/ops.h"
#include "objects/record.h"
#include "wire/sigv4.h"

struct deletion {
	struct s3_delete asked;   /* its keys may repeat, or name no object */
	size_t allowed;           /* so many of its keys may be deleted; they come first */
	char **denied;            /* owned; why each of the others may not */
	struct record_gone *gone; /* owned; one per key */
	bool unsure;
	void (*answer)(struct request *r, const struct deletion *d);
};

void delete_op_drop(struct request *r)
{
	struct deletion *d = r->own;

	if (!d)
		return;
	for (size_t i = 0; d->denied && i < d->asked.n - d->allowed; i++)
		free(d->denied[i]);
	free(d->denied);
	s3_delete_free(&d->asked);
	free(d->gone);
	free(d);
}

static bool delete_turn(struct request *r)
{
	return request_bucket_stays(r);
}

static void delete_run(struct request *r)
{
	struct deletion *d = r->own;

	record_remove(r->bucket->meta, d->gone, d->allowed, &d->unsure);
}

static void delete_done(struct request *r)
{
	struct deletion *d = r->own;

	for (size_t i = 0; i < d->allowed; i++) {
		struct object *o =
			d->gone[i].rc ? NULL : bucket_remove(r->bucket, d->asked.keys[i]);

		if (o)
			discard_data(&r->s3->store, r->bucket, o->data);
		object_free(o);
	}
	d->answer(r, d);
}

static const struct step delete_step = {
	.lane = STORE_CHANGES,
	.turn = delete_turn,
	.run = delete_run,
	.done = delete_done,
};

static void delete_start(struct request *r, struct deletion *d)
{
	d->gone = xcalloc(d->allowed + 1, sizeof(*d->gone));
	for (size_t i = 0; i < d->allowed; i++)
		sha256_hex(d->asked.keys[i], strlen(d->asked.keys[i]), d->gone[i].name);
	request_step(r, &delete_step);
}

static void delete_answer_one(struct request *r, const struct deletion *d)
{
	struct err e;

	if (!d->gone[0].rc) {
		answer_empty(r, 204, NULL, 0);
		return;
	}
	store_fail(&e, -d->gone[0].rc, "delete an object");
	answer_err(r, FAULT_INTERNAL, &e);
}

void delete_op_object(struct request *r)
{
	struct deletion *d;

	if (!request_bucket(r))
		return;
	d = r->own = xcalloc(1, sizeof(*d));
	d->asked.keys = xcalloc(1, sizeof(char *));
	d->asked.keys[0] = xstrdup(r->key);
	d->asked.n = d->allowed = 1;
	d->answer = delete_answer_one;
	delete_start(r, d);
}

static void delete_answer_each(struct request *r, const struct deletion *d)
{
	autobuf struct buf b = { 0 };
	struct err e;

	xml_begin(&b, "DeleteResult");
	for (size_t i = 0; i < d->allowed; i++) {
		bool failed = d->gone[i].rc != 0;

		if (!failed && d->asked.quiet)
			continue;
		buf_adds(&b, failed ? "<Error>" : "<Deleted>");
		s3_xml_put(&b, "Key", d->asked.keys[i]);
		if (failed) {
			store_fail(&e, -d->gone[i].rc, "delete an object");
			s3_xml_put(&b, "Code", "InternalError");
			s3_xml_put(&b, "Message", e.text);
		}
		buf_adds(&b, failed ? "</Error>" : "</Deleted>");
	}
	for (size_t i = d->allowed; i < d->asked.n; i++) {
		buf_adds(&b, "<Error>");
		s3_xml_put(&b, "Key", d->asked.keys[i]);
		s3_xml_put(&b, "Code", "AccessDenied");
		s3_xml_put(&b, "Message", d->denied[i - d->allowed]);
		buf_adds(&b, "</Error>");
	}
	buf_adds(&b, "</DeleteResult>");
	answer_xml(r, &b);
}

/* Those that may be deleted come first. */
static void delete_judge(const struct request *r, struct deletion *d)
{
	d->denied = xcalloc(d->asked.n + 1, sizeof(*d->denied));
	for (size_t i = 0; i < d->asked.n; i++) {
		char *key = d->asked.keys[i], *text = NULL;
		size_t n = i - d->allowed;

		if (!authorize_object(r, "s3:DeleteObject", r->bucket_name, key, &text)) {
			d->denied[n] = text;
			continue;
		}
		d->asked.keys[i] = d->asked.keys[d->allowed];
		d->asked.keys[d->allowed++] = key;
		/* The first of the others has gone to their end, and its reason with it. */
		text = d->denied[0];
		memmove(d->denied, d->denied + 1, n * sizeof(*d->denied));
		if (n)
			d->denied[n - 1] = text;
	}
}

void delete_op_objects(struct request *r)
{
	const struct buf *body = &r->receive.body;
	struct deletion *d;
	struct err e;

	if (!request_bucket(r))
		return;
	d = r->own = xcalloc(1, sizeof(*d));
	if (s3_delete_parse(&d->asked, (const char *)body->data, body->size, &e)) {
		answer_err(r, FAULT_MALFORMED_XML, &e);
		return;
	}
	delete_judge(r, d);
	d->answer = delete_answer_each;
	delete_start(r, d);
}
