/* bucket.c - the operations on buckets. */

#include "objects/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "objects/authorize.h"

void bucket_op_list(struct request *r)
{
	autobuf struct buf b = { 0 };

	xml_begin(&b, "ListAllMyBucketsResult");
	xml_owner(&b, r, "Owner");
	buf_adds(&b, "<Buckets>");
	list_each(bucket, &r->s3->store.buckets, struct bucket, in)
	{
		if (!authorize_owns(r, bucket))
			continue;
		buf_adds(&b, "<Bucket>");
		s3_xml_put(&b, "Name", bucket->name);
		xml_time(&b, "CreationDate", bucket->at_ms);
		buf_adds(&b, "</Bucket>");
	}
	buf_adds(&b, "</Buckets></ListAllMyBucketsResult>");
	answer_xml(r, &b);
}

struct bucket_change {
	struct bucket *bucket; /* a reference, until it is in the store */
	char owner[16];
	int64_t at_ms;
	struct err e;
};

void bucket_op_drop(struct request *r)
{
	struct bucket_change *m = r->own;

	if (m)
		bucket_unref(m->bucket);
	free(m);
}

static bool bucket_create_turn(struct request *r)
{
	const struct bucket *taken = store_bucket(&r->s3->store, r->bucket_name);

	if (taken)
		answer_fault(r, authorize_owns(r, taken) ? FAULT_BUCKET_EXISTS : FAULT_BUCKET_TAKEN,
			     NULL);
	return !taken;
}

static void bucket_create_run(struct request *r)
{
	struct bucket_change *m = r->own;

	m->bucket = bucket_make(r->s3->store.dir, r->bucket_name, m->owner, m->at_ms, &m->e);
}

static void bucket_create_done(struct request *r)
{
	struct http_header location = { "location", NULL };
	struct bucket_change *m = r->own;
	char path[80];

	if (!m->bucket) {
		answer_err(r, FAULT_INTERNAL, &m->e);
		return;
	}
	store_add(&r->s3->store, m->bucket);
	m->bucket = NULL;
	snprintf(path, sizeof(path), "/%s", r->bucket_name);
	location.value = path;
	answer_empty(r, 200, &location, 1);
}

static const struct step bucket_create_step = {
	.lane = STORE_CHANGES,
	.turn = bucket_create_turn,
	.run = bucket_create_run,
	.done = bucket_create_done,
};

void bucket_op_create(struct request *r)
{
	const struct buf *body = &r->receive.body;
	struct bucket_change *m;
	char wanted[65];
	struct err e;

	if (s3_location_parse(wanted, (const char *)body->data, body->size, &e)) {
		answer_fault(r, FAULT_MALFORMED_XML, NULL);
		return;
	}
	m = r->own = xcalloc(1, sizeof(*m));
	m->at_ms = clock_wall_ms();
	snprintf(m->owner, sizeof(m->owner), "%s", r->signer->who.account);
	request_step(r, &bucket_create_step);
}

void bucket_op_head(struct request *r)
{
	const struct http_header region = { "x-amz-bucket-region", r->s3->region };

	if (request_bucket(r))
		answer_empty(r, 200, &region, 1);
}

static bool bucket_delete_turn(struct request *r)
{
	if (!request_bucket_stays(r))
		return false;
	if (!bucket_may_drop(r->bucket)) {
		answer_fault(r, FAULT_BUCKET_NOT_EMPTY, NULL);
		return false;
	}
	store_take_out(r->bucket);
	return true;
}

static void bucket_delete_run(struct request *r)
{
	struct bucket_change *m = r->own;

	r->rc = bucket_erase(r->s3->store.dir, r->bucket, &m->e);
}

static void bucket_delete_done(struct request *r)
{
	struct bucket_change *m = r->own;

	if (r->rc) {
		store_add(&r->s3->store, r->bucket);
		answer_err(r, FAULT_INTERNAL, &m->e);
		return;
	}
	m->bucket = r->bucket; /* the store's reference */
	answer_empty(r, 204, NULL, 0);
}

static const struct step bucket_delete_step = {
	.lane = STORE_CHANGES,
	.turn = bucket_delete_turn,
	.run = bucket_delete_run,
	.done = bucket_delete_done,
};

void bucket_op_delete(struct request *r)
{
	if (!request_bucket(r))
		return;
	r->own = xcalloc(1, sizeof(struct bucket_change));
	request_step(r, &bucket_delete_step);
}

void bucket_op_location(struct request *r)
{
	autobuf struct buf b = { 0 };
	bool first = !strcmp(r->s3->region, "us-east-1"); /* S3 leaves this one out */

	if (!request_bucket(r))
		return;
	xml_begin(&b, "LocationConstraint");
	buf_addf(&b, "%s</LocationConstraint>", first ? "" : r->s3->region);
	answer_xml(r, &b);
}

void bucket_op_versioning(struct request *r)
{
	autobuf struct buf b = { 0 };

	if (!request_bucket(r))
		return;
	xml_begin(&b, "VersioningConfiguration");
	buf_adds(&b, "</VersioningConfiguration>");
	answer_xml(r, &b);
}

/* The bucket, and the object if the request names one. */
static bool bucket_or_key(struct request *r)
{
	const struct bucket *b = request_bucket(r);

	if (b && r->key[0] && !bucket_find(b, r->key)) {
		answer_fault(r, FAULT_NO_KEY, NULL);
		return false;
	}
	return b != NULL;
}

/* A bucket belongs to the account of who asks, which may do all. */
void bucket_op_acl(struct request *r)
{
	autobuf struct buf b = { 0 };

	if (!bucket_or_key(r))
		return;
	xml_begin(&b, "AccessControlPolicy");
	xml_owner(&b, r, "Owner");
	buf_addf(&b,
		 "<AccessControlList><Grant>"
		 "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
		 "xsi:type=\"CanonicalUser\"><ID>%s</ID><DisplayName>doze</DisplayName></Grantee>"
		 "<Permission>FULL_CONTROL</Permission></Grant></AccessControlList>"
		 "</AccessControlPolicy>",
		 r->signer->who.account);
	answer_xml(r, &b);
}

/* Nothing has tags.  S3 says so by a fault for a bucket, and by an empty set for an object. */
void bucket_op_tagging(struct request *r)
{
	autobuf struct buf b = { 0 };

	if (!bucket_or_key(r))
		return;
	if (!r->key[0]) {
		answer_fault(r, FAULT_NO_TAGS, NULL);
		return;
	}
	xml_begin(&b, "Tagging");
	buf_adds(&b, "<TagSet></TagSet></Tagging>");
	answer_xml(r, &b);
}
