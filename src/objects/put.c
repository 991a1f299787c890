/* put.c - PutObject and CopyObject: the bytes are in the draft, are made durable beside the loop,
 * and then one JSON makes the object be there. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects/bucket.h"
#include "objects/object.h"

struct put {
	json_t *headers;
	bool copy;
	/* Of a copy: what is taken over from the source. */
	char etag[80];
	struct object_sum sum;
};

void put_op_drop(struct request *r)
{
	struct put *p = r->own;

	if (p)
		json_decref(p->headers);
	free(p);
}

int put_op_begin(struct request *r)
{
	struct bucket *b = request_bucket(r);
	struct put *p;

	if (!b || !object_may_write(r, bucket_find(b, r->key)))
		return -1;
	p = r->own = xcalloc(1, sizeof(*p));
	p->sum.whole = true;
	p->headers = object_headers(r);
	return p->headers ? 0 : -1;
}

static void put_answer(struct request *r, const struct put *p, const struct object *o)
{
	char etag[96];
	struct http_header headers[3] = { { "etag", etag } };
	autobuf struct buf b = { 0 };
	size_t n = 1;

	snprintf(etag, sizeof(etag), "\"%s\"", p->etag);
	if (p->copy) {
		xml_begin(&b, "CopyObjectResult");
		xml_etag(&b, p->etag);
		xml_time(&b, "LastModified", o->at_ms);
		if (p->sum.kind)
			s3_xml_put(&b, s3_sum_rows[p->sum.kind].element, p->sum.text);
		buf_adds(&b, "</CopyObjectResult>");
		answer_xml(r, &b);
		return;
	}
	if (p->sum.kind) {
		headers[n++] = (struct http_header){ s3_sum_rows[p->sum.kind].header, p->sum.text };
		headers[n++] = (struct http_header){ "x-amz-checksum-type", "FULL_OBJECT" };
	}
	answer_empty(r, 200, headers, n);
}

static void put_worked(struct draft_job *j)
{
	struct request *r = container_of(j, struct request, job);
	struct put *p = r->own;
	struct bucket *b = r->draft.bucket;
	struct err e;
	json_t *meta;
	int rc = j->rc ? store_fail(&e, -j->rc, "write the object") : 0;

	if (!rc) {
		meta = object_make(r->key, &r->draft, p->etag, p->headers, &p->sum);
		rc = meta ? bucket_put(b, meta, &e)
			  : err_set(&e, ERR_INTERNAL, "an object's JSON cannot be made");
		json_decref(meta);
	}
	if (rc) {
		answer_err(r, FAULT_INTERNAL, &e);
		draft_drop(&r->draft);
	} else {
		draft_keep(&r->draft);
		put_answer(r, p, bucket_find(b, r->key));
	}
	request_finish(r);
}

void put_op_run(struct request *r)
{
	struct put *p = r->own;

	snprintf(p->etag, sizeof(p->etag), "%s", r->receive.md5_hex);
	p->sum.kind = r->receive.sum_kind;
	snprintf(p->sum.text, sizeof(p->sum.text), "%s", r->receive.sum_text);
	request_work(r, put_worked);
}

/* All that is not of this request comes from the source's JSON. */
static int copy_take_over(struct request *r, struct put *p, const struct bucket *from,
			  const struct object *o)
{
	const char *directive = request_header(r, "x-amz-metadata-directive");
	const char *kind, *sum;
	struct err e;
	json_t *meta;

	meta = bucket_meta(from, o, &e);
	if (!meta) {
		answer_err(r, FAULT_INTERNAL, &e);
		return -1;
	}
	kind = json_string_value(json_object_get(meta, "sumKind"));
	sum = json_string_value(json_object_get(meta, "sum"));
	p->sum.kind = kind ? s3_sum_by_name(kind) : S3_SUM_NONE;
	p->sum.whole = json_is_true(json_object_get(meta, "sumWhole"));
	snprintf(p->sum.text, sizeof(p->sum.text), "%s", sum ? sum : "");
	snprintf(p->etag, sizeof(p->etag), "%s", o->etag);
	if (directive && !strcmp(directive, "REPLACE"))
		p->headers = object_headers(r);
	else
		p->headers = json_incref(json_object_get(meta, "headers"));
	json_decref(meta);
	return p->headers ? 0 : -1;
}

int copy_op_begin(struct request *r)
{
	struct bucket *b = request_bucket(r), *from;
	struct put *p;
	struct object *o;

	if (!b || !object_may_write(r, bucket_find(b, r->key)))
		return -1;
	o = object_source(r, &from, &r->job.source);
	if (!o)
		return -1;
	if (o == bucket_find(b, r->key) && !request_header(r, "x-amz-metadata-directive")) {
		answer_fault(r, FAULT_INVALID_REQUEST,
			     "This copy request is illegal because it is trying to copy an object "
			     "to itself without changing the object's metadata.");
		return -1;
	}
	p = r->own = xcalloc(1, sizeof(*p));
	p->copy = true;
	r->job.left = o->size;
	return copy_take_over(r, p, from, o);
}

void copy_op_run(struct request *r)
{
	if (r->draft.size)
		answer_fault(r, FAULT_INVALID_REQUEST, "A copy has no body.");
	else
		request_work(r, put_worked);
}
