/* bucket.c - the operations on buckets. */

#include "objects/bucket.h"

#include <stdio.h>
#include <string.h>

void bucket_op_list(struct request *r)
{
	autobuf struct buf b = { 0 };

	xml_begin(&b, "ListAllMyBucketsResult");
	xml_owner(&b, r->s3, "Owner");
	buf_adds(&b, "<Buckets>");
	list_each(bucket, &r->s3->store.buckets, struct bucket, in)
	{
		buf_adds(&b, "<Bucket>");
		s3_xml_put(&b, "Name", bucket->name);
		xml_time(&b, "CreationDate", bucket->at_ms);
		buf_adds(&b, "</Bucket>");
	}
	buf_adds(&b, "</Buckets></ListAllMyBucketsResult>");
	answer_xml(r, &b);
}

void bucket_op_create(struct request *r)
{
	struct http_header location = { "location", NULL };
	char wanted[65], path[80];
	struct err e;

	if (s3_location_parse(wanted, (const char *)r->receive.body.data, r->receive.body.size,
			      &e)) {
		answer_fault(r, FAULT_MALFORMED_XML, NULL);
		return;
	}
	if (store_bucket(&r->s3->store, r->bucket_name)) {
		answer_fault(r, FAULT_BUCKET_EXISTS, NULL);
		return;
	}
	if (!store_make(&r->s3->store, r->bucket_name, &e)) {
		answer_err(r, FAULT_INTERNAL, &e);
		return;
	}
	snprintf(path, sizeof(path), "/%s", r->bucket_name);
	location.value = path;
	answer_empty(r, 200, &location, 1);
}

void bucket_op_head(struct request *r)
{
	const struct http_header region = { "x-amz-bucket-region", r->s3->region };

	if (request_bucket(r))
		answer_empty(r, 200, &region, 1);
}

void bucket_op_delete(struct request *r)
{
	struct bucket *b = request_bucket(r);
	struct err e;

	if (!b)
		return;
	if (store_drop(&r->s3->store, b, &e))
		answer_err(r, e.kind == ERR_CONFLICT ? FAULT_BUCKET_NOT_EMPTY : FAULT_INTERNAL, &e);
	else
		answer_empty(r, 204, NULL, 0);
}

void bucket_op_location(struct request *r)
{
	autobuf struct buf b = { 0 };
	bool first = !strcmp(r->s3->region, "us-east-1"); /* which S3 leaves out */

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

void bucket_op_delete_objects(struct request *r)
{
	struct bucket *bucket = request_bucket(r);
	autobuf struct buf b = { 0 };
	struct s3_delete d;
	struct err e;

	if (!bucket)
		return;
	if (s3_delete_parse(&d, (const char *)r->receive.body.data, r->receive.body.size, &e)) {
		answer_err(r, FAULT_MALFORMED_XML, &e);
		return;
	}
	xml_begin(&b, "DeleteResult");
	for (size_t i = 0; i < d.n; i++) {
		bool failed = bucket_delete(bucket, d.keys[i], &e);

		if (!failed && d.quiet)
			continue;
		buf_adds(&b, failed ? "<Error>" : "<Deleted>");
		s3_xml_put(&b, "Key", d.keys[i]);
		if (failed) {
			s3_xml_put(&b, "Code", "InternalError");
			s3_xml_put(&b, "Message", e.text);
		}
		buf_adds(&b, failed ? "</Error>" : "</Deleted>");
	}
	buf_adds(&b, "</DeleteResult>");
	s3_delete_free(&d);
	answer_xml(r, &b);
}
