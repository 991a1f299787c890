/* put.c - PutObject and CopyObject: the bytes go into the draft and are synced, and then the record
 * is committed. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects/commit.h"
#include "objects/object.h"
#include "objects/ops.h"
#include "objects/source.h"

struct put {
	json_t *headers;
	bool copy;
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

static void put_committed(struct request *r, const struct object *o)
{
	put_answer(r, r->own, o);
}

static void put_made(struct request *r)
{
	struct put *p = r->own;
	struct err e;

	if (r->rc) {
		store_fail(&e, -r->rc, "write the object");
		answer_err(r, FAULT_INTERNAL, &e);
		return;
	}
	commit_start(r, object_make(r->key, &r->draft, p->etag, p->headers, &p->sum),
		     put_committed);
}

void put_op_run(struct request *r)
{
	struct put *p = r->own;

	snprintf(p->etag, sizeof(p->etag), "%s", r->receive.md5_hex);
	p->sum.kind = r->receive.sum_kind;
	snprintf(p->sum.text, sizeof(p->sum.text), "%s", r->receive.sum_text);
	request_make(r, put_made);
}

int copy_op_begin(struct request *r)
{
	const char *directive = request_header(r, "x-amz-metadata-directive");
	struct bucket *b = request_bucket(r);
	struct put *p;

	if (!b || !object_may_write(r, bucket_find(b, r->key)) || source_begin(r))
		return -1;
	if (r->source.bucket == b && !strcmp(r->source.key, r->key) && !directive) {
		answer_fault(r, FAULT_INVALID_REQUEST,
			     "This copy request is illegal because it is trying to copy an object "
			     "to itself without changing the object's metadata.");
		return -1;
	}
	p = r->own = xcalloc(1, sizeof(*p));
	p->copy = true;
	if (!directive || strcmp(directive, "REPLACE") != 0)
		return 0;
	p->headers = object_headers(r);
	return p->headers ? 0 : -1;
}

/* All that the request does not replace comes from the source's record. */
static void copy_opened(struct request *r)
{
	json_t *meta = r->found.meta, *headers = json_object_get(meta, "headers");
	const char *kind = json_string_value(json_object_get(meta, "sumKind"));
	const char *sum = json_string_value(json_object_get(meta, "sum"));
	struct put *p = r->own;

	p->sum.kind = kind ? s3_sum_by_name(kind) : S3_SUM_NONE;
	p->sum.whole = json_is_true(json_object_get(meta, "sumWhole"));
	snprintf(p->sum.text, sizeof(p->sum.text), "%s", sum ? sum : "");
	snprintf(p->etag, sizeof(p->etag), "%s", r->found.object->etag);
	if (!p->headers)
		p->headers = headers ? json_incref(headers) : json_object();
	request_make(r, put_made);
}

void copy_op_run(struct request *r)
{
	if (r->draft.size)
		answer_fault(r, FAULT_INVALID_REQUEST, "A copy has no body.");
	else
		source_open(r, copy_opened);
}
