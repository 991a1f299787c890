/* multipart.c - uploads in parts are begun and aborted here; part.c puts parts in, complete.c makes
 * an object of them. */

#include "objects/multipart.h"

#include <stdlib.h>
#include <string.h>

#include "objects/discard.h"
#include "objects/object.h"
#include "objects/ops.h"

struct upload *multipart_find(struct request *r)
{
	struct bucket *b = request_bucket(r);
	struct upload *u = b ? upload_find(&b->multiparts, request_param(r, "uploadId")) : NULL;

	if (u && !strcmp(u->key, r->key))
		return u;
	if (b)
		answer_fault(r, FAULT_NO_UPLOAD, NULL);
	return NULL;
}

struct upload *multipart_find_idle(struct request *r)
{
	struct upload *u = multipart_find(r);

	if (!u || (!u->busy && !u->ending))
		return u;
	answer_fault(r, FAULT_BUSY, NULL);
	return NULL;
}

struct upload *multipart_hold(struct upload *u)
{
	u->busy++;
	return u;
}

void multipart_let_go(struct upload *u)
{
	if (u)
		u->busy--;
}

void multipart_forget(struct request *r, struct upload *u)
{
	for (size_t i = 0; i < u->n; i++)
		discard_data(&r->s3->store, r->bucket, u->parts[i].data);
	upload_free(u);
}

/* Create. */

struct multipart_create {
	struct upload *upload; /* owned, until it is in the bucket */
	char *text;
};

void multipart_op_create_drop(struct request *r)
{
	struct multipart_create *m = r->own;

	if (!m)
		return;
	upload_free(m->upload);
	free(m->text);
	free(m);
}

static bool multipart_create_turn(struct request *r)
{
	return request_bucket_stays(r);
}

static void multipart_create_run(struct request *r)
{
	struct multipart_create *m = r->own;

	r->rc = upload_make(r->bucket->uploads, m->upload, m->text);
}

static void multipart_create_done(struct request *r)
{
	struct multipart_create *m = r->own;
	autobuf struct buf b = { 0 };
	struct err e;

	if (r->rc) {
		store_fail(&e, -r->rc, "begin an upload");
		answer_err(r, FAULT_INTERNAL, &e);
		return;
	}
	xml_begin(&b, "InitiateMultipartUploadResult");
	s3_xml_put(&b, "Bucket", r->bucket->name);
	s3_xml_put(&b, "Key", r->key);
	s3_xml_put(&b, "UploadId", m->upload->id);
	buf_adds(&b, "</InitiateMultipartUploadResult>");
	upload_add(&r->bucket->multiparts, m->upload);
	m->upload = NULL;
	answer_xml(r, &b);
}

static const struct step multipart_create_step = {
	.lane = STORE_CHANGES,
	.turn = multipart_create_turn,
	.run = multipart_create_run,
	.done = multipart_create_done,
};

void multipart_op_create(struct request *r)
{
	const char *algorithm = request_header(r, "x-amz-checksum-algorithm");
	const char *type = request_header(r, "x-amz-checksum-type");
	enum s3_sum_kind kind = algorithm ? s3_sum_by_name(algorithm) : S3_SUM_NONE;
	bool whole = kind == S3_SUM_CRC64NVME || (type && !strcmp(type, "FULL_OBJECT"));
	struct multipart_create *m;
	json_t *headers;

	if (!request_bucket(r))
		return;
	if ((algorithm && !kind) || (whole && (kind == S3_SUM_SHA1 || kind == S3_SUM_SHA256))) {
		answer_fault(r, FAULT_INVALID_REQUEST,
			     "The checksum algorithm or type is not valid.");
		return;
	}
	headers = object_headers(r);
	if (!headers)
		return;
	m = r->own = xcalloc(1, sizeof(*m));
	m->upload = upload_new(r->key, headers, kind, whole);
	m->text = upload_text(m->upload);
	json_decref(headers);
	request_step(r, &multipart_create_step);
}

/* Abort. */

static bool multipart_abort_turn(struct request *r)
{
	struct upload *u = request_bucket_stays(r) ? multipart_find_idle(r) : NULL;

	if (u)
		u->ending = true;
	r->own = u;
	return u != NULL;
}

static void multipart_abort_run(struct request *r)
{
	r->rc = upload_erase(r->bucket->uploads, r->own);
}

static void multipart_abort_done(struct request *r)
{
	struct upload *u = r->own;
	struct err e;

	if (!r->rc) {
		multipart_forget(r, u);
		answer_empty(r, 204, NULL, 0);
		return;
	}
	u->ending = false;
	store_fail(&e, -r->rc, "abort an upload");
	answer_err(r, FAULT_INTERNAL, &e);
}

static const struct step multipart_abort_step = {
	.lane = STORE_CHANGES,
	.turn = multipart_abort_turn,
	.run = multipart_abort_run,
	.done = multipart_abort_done,
};

void multipart_op_abort(struct request *r)
{
	if (multipart_find_idle(r))
		request_step(r, &multipart_abort_step);
}
