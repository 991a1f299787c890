/* list_uploads.c - ListMultipartUploads and ListParts. */

#include <stdlib.h>
#include <string.h>

#include "objects/list.h"
#include "objects/multipart.h"
#include "objects/ops.h"

static void list_put_upload(struct request *r, struct buf *rows, const struct upload *u, bool url)
{
	buf_adds(rows, "<Upload>");
	list_put_name(rows, "Key", u->key, url);
	s3_xml_put(rows, "UploadId", u->id);
	xml_owner(rows, r, "Initiator");
	xml_owner(rows, r, "Owner");
	buf_adds(rows, "<StorageClass>STANDARD</StorageClass>");
	xml_time(rows, "Initiated", u->at_ms);
	buf_adds(rows, "</Upload>");
}

void list_op_uploads(struct request *r)
{
	const struct bucket *bucket = request_bucket(r);
	const char *key_marker = list_param(r, "key-marker");
	struct list_ask ask = { 0 };
	autobuf struct buf b = { 0 }, rows = { 0 };
	bool truncated = false;
	size_t n = 0;

	if (!bucket || !list_ask(r, &ask, "max-uploads"))
		return;
	list_each(u, &bucket->multiparts, struct upload, in)
	{
		if (strncmp(u->key, ask.prefix, strlen(ask.prefix)) != 0 ||
		    (*key_marker && strcmp(u->key, key_marker) <= 0))
			continue;
		truncated = n++ >= ask.max;
		if (truncated)
			break;
		list_put_upload(r, &rows, u, ask.url);
	}
	xml_begin(&b, "ListMultipartUploadsResult");
	s3_xml_put(&b, "Bucket", bucket->name);
	list_put_name(&b, "KeyMarker", key_marker, ask.url);
	list_put_name(&b, "Prefix", ask.prefix, ask.url);
	buf_addf(&b, "<MaxUploads>%zu</MaxUploads><IsTruncated>%s</IsTruncated>", ask.max,
		 truncated ? "true" : "false");
	if (ask.url)
		buf_adds(&b, "<EncodingType>url</EncodingType>");
	buf_add(&b, rows.data, rows.size);
	buf_adds(&b, "</ListMultipartUploadsResult>");
	answer_xml(r, &b);
}

struct list_parts {
	struct buf rows;
	size_t marker, max, n; /* marker: parts of higher numbers are listed */
	unsigned last;
	bool truncated;
};

static void list_put_part(struct buf *rows, const struct upload *u, const struct upload_part *p)
{
	buf_addf(rows, "<Part><PartNumber>%u</PartNumber>", p->number);
	xml_time(rows, "LastModified", p->at_ms);
	xml_etag(rows, p->md5);
	buf_addf(rows, "<Size>%llu</Size>", (unsigned long long)p->size);
	if (p->sum[0] && u->sum_kind)
		s3_xml_put(rows, s3_sum_rows[u->sum_kind].element, p->sum);
	buf_adds(rows, "</Part>");
}

static void list_fill_parts(struct list_parts *l, const struct upload *u)
{
	for (size_t i = 0; i < u->n; i++) {
		if (u->parts[i].number <= l->marker)
			continue;
		l->truncated = l->n++ >= l->max;
		if (l->truncated)
			return;
		l->last = u->parts[i].number;
		list_put_part(&l->rows, u, &u->parts[i]);
	}
}

static void list_answer_parts(struct request *r, const struct upload *u, struct list_parts *l)
{
	autobuf struct buf b = { 0 };

	xml_begin(&b, "ListPartsResult");
	s3_xml_put(&b, "Bucket", r->bucket->name);
	s3_xml_put(&b, "Key", u->key);
	s3_xml_put(&b, "UploadId", u->id);
	xml_owner(&b, r, "Initiator");
	xml_owner(&b, r, "Owner");
	buf_addf(&b,
		 "<StorageClass>STANDARD</StorageClass><PartNumberMarker>%zu</PartNumberMarker>"
		 "<NextPartNumberMarker>%u</NextPartNumberMarker><MaxParts>%zu</MaxParts>"
		 "<IsTruncated>%s</IsTruncated>",
		 l->marker, l->last, l->max, l->truncated ? "true" : "false");
	buf_add(&b, l->rows.data, l->rows.size);
	buf_adds(&b, "</ListPartsResult>");
	buf_free(&l->rows);
	answer_xml(r, &b);
}

void list_op_parts(struct request *r)
{
	struct upload *u = multipart_find(r);
	struct list_parts l = { 0 };
	struct list_ask ask = { 0 };

	if (!u || !list_ask(r, &ask, "max-parts"))
		return;
	l.marker = strtoul(list_param(r, "part-number-marker"), NULL, 10);
	l.max = ask.max;
	list_fill_parts(&l, u);
	list_answer_parts(r, u, &l);
}
