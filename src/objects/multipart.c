/* multipart.c - uploads in parts.  Completing copies the parts into one file beside the loop; the
 * parts go when the object's JSON is there. */

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "objects/bucket.h"
#include "objects/object.h"
#include "objects/upload.h"

struct multipart {
	struct upload *upload; /* busy while this is there */
	unsigned number;
	bool copy;
	char etag[80], sum[S3_SUM_TEXT + 8], sum_want[S3_SUM_TEXT + 8];
};

static struct upload *multipart_find(struct request *r, struct bucket *b)
{
	struct upload *u = upload_find(b, request_param(r, "uploadId"));

	if (u && !strcmp(u->key, r->key))
		return u;
	answer_fault(r, FAULT_NO_UPLOAD, NULL);
	return NULL;
}

static struct multipart *multipart_hold(struct request *r, struct upload *u)
{
	struct multipart *m = r->own = xcalloc(1, sizeof(*m));

	m->upload = u;
	u->busy++;
	return m;
}

void multipart_op_drop(struct request *r)
{
	struct multipart *m = r->own;

	if (m && m->upload)
		m->upload->busy--;
	free(m);
}

void multipart_op_create(struct request *r)
{
	struct bucket *bucket = request_bucket(r);
	const char *algorithm, *type;
	autobuf struct buf b = { 0 };
	enum s3_sum_kind kind;
	json_t *headers;
	struct upload *u;
	struct err e;
	bool whole;

	if (!bucket)
		return;
	algorithm = request_header(r, "x-amz-checksum-algorithm");
	type = request_header(r, "x-amz-checksum-type");
	kind = algorithm ? s3_sum_by_name(algorithm) : S3_SUM_NONE;
	whole = kind == S3_SUM_CRC64NVME || (type && !strcmp(type, "FULL_OBJECT"));
	if ((algorithm && !kind) || (whole && (kind == S3_SUM_SHA1 || kind == S3_SUM_SHA256))) {
		answer_fault(r, FAULT_INVALID_REQUEST,
			     "The checksum algorithm or type is not valid.");
		return;
	}
	headers = object_headers(r);
	if (!headers)
		return;
	u = upload_begin(bucket, r->key, headers, kind, whole, &e);
	json_decref(headers);
	if (!u) {
		answer_err(r, FAULT_INTERNAL, &e);
		return;
	}
	xml_begin(&b, "InitiateMultipartUploadResult");
	s3_xml_put(&b, "Bucket", bucket->name);
	s3_xml_put(&b, "Key", r->key);
	s3_xml_put(&b, "UploadId", u->id);
	buf_adds(&b, "</InitiateMultipartUploadResult>");
	answer_xml(r, &b);
}

/* Also of UploadPartCopy: then the source is opened. */
int multipart_op_part_begin(struct request *r)
{
	const char *number = request_param(r, "partNumber");
	struct bucket *b = request_bucket(r), *from;
	struct multipart *m;
	struct upload *u;
	struct object *o;
	unsigned long n;
	int range;

	u = b ? multipart_find(r, b) : NULL;
	if (!u)
		return -1;
	n = strspn(number, "0123456789") == strlen(number) && strlen(number) <= 5
		    ? strtoul(number, NULL, 10)
		    : 0;
	if (!n || n > S3_PARTS_MAX) {
		answer_fault(r, FAULT_INVALID_ARGUMENT,
			     "Part number must be an integer between 1 and 10000, inclusive");
		return -1;
	}
	if (u->completing) {
		answer_fault(r, FAULT_BUSY, NULL);
		return -1;
	}
	if (request_header(r, "x-amz-copy-source")) {
		o = object_source(r, &from, &r->job.source);
		if (!o)
			return -1;
		r->job.left = o->size;
		range = object_range(request_header(r, "x-amz-copy-source-range"), o->size,
				     &r->job.at, &r->job.left);
		if (range < 0) {
			answer_fault(r, FAULT_INVALID_RANGE, NULL);
			return -1;
		}
	}
	m = multipart_hold(r, u);
	m->number = (unsigned)n;
	m->copy = r->job.source >= 0;
	if (m->copy)
		r->job.sum_kind = u->sum_kind;
	r->receive.sum_kind = u->sum_kind;
	return 0;
}

static void multipart_part_answer(struct request *r, const struct multipart *m,
				  const struct upload_part *p)
{
	char etag[48];
	struct http_header headers[2] = { { "etag", etag } };
	enum s3_sum_kind kind = r->receive.sum_kind;
	autobuf struct buf b = { 0 };

	snprintf(etag, sizeof(etag), "\"%s\"", p->md5);
	if (m->copy) {
		xml_begin(&b, "CopyPartResult");
		xml_etag(&b, p->md5);
		xml_time(&b, "LastModified", p->at_ms);
		buf_adds(&b, "</CopyPartResult>");
		answer_xml(r, &b);
		return;
	}
	if (kind)
		headers[1] = (struct http_header){ s3_sum_rows[kind].header, p->sum };
	answer_empty(r, 200, headers, kind ? 2 : 1);
}

static void multipart_part_worked(struct draft_job *j)
{
	struct request *r = container_of(j, struct request, job);
	struct multipart *m = r->own;
	struct upload_part p = { .number = m->number, .size = r->draft.size };
	struct err e;

	p.at_ms = clock_wall_ms();
	memcpy(p.data, r->draft.data, UUID_SIZE);
	if (m->copy) { /* no bytes came through here: the name of the copy is unlike any other */
		char id[65];

		sha256_hex(p.data, strlen(p.data), id);
		snprintf(p.md5, sizeof(p.md5), "%.32s", id);
		s3_base64(j->sum, s3_sum_rows[j->sum_kind].size, p.sum);
	} else {
		memcpy(p.md5, r->receive.md5_hex, sizeof(p.md5));
		memcpy(p.sum, r->receive.sum_text, sizeof(p.sum));
	}
	if (j->rc ? store_fail(&e, -j->rc, "write a part")
		  : upload_put_part(r->draft.bucket, m->upload, &p, &e)) {
		answer_err(r, FAULT_INTERNAL, &e);
		draft_drop(&r->draft);
	} else {
		draft_keep(&r->draft);
		multipart_part_answer(r, m, &p);
	}
	request_finish(r);
}

void multipart_op_part(struct request *r)
{
	request_work(r, multipart_part_worked);
}

void multipart_op_part_copy(struct request *r)
{
	if (r->draft.size)
		answer_fault(r, FAULT_INVALID_REQUEST, "A copy has no body.");
	else
		request_work(r, multipart_part_worked);
}

void multipart_op_abort(struct request *r)
{
	struct bucket *b = request_bucket(r);
	struct upload *u = b ? multipart_find(r, b) : NULL;

	if (!u)
		return;
	if (u->busy) {
		answer_fault(r, FAULT_BUSY, NULL);
		return;
	}
	upload_end(b, u);
	answer_empty(r, 204, NULL, 0);
}

static void multipart_bytes(const char *hex, uint8_t *out)
{
	for (int i = 0; i < 16; i++) {
		char two[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(two, NULL, 16);
	}
}

/* ETag and checksum of the whole are hashes of the parts' hashes.  False: answered. */
static bool multipart_sum_up(struct request *r, struct multipart *m, const struct s3_complete *c)
{
	struct upload *u = m->upload;
	struct s3_sum *sum = s3_sum_new(u->sum_whole ? S3_SUM_NONE : u->sum_kind);
	size_t sum_size = s3_sum_rows[u->sum_kind].size;
	EVP_MD_CTX *md5 = EVP_MD_CTX_new();
	uint8_t raw[S3_SUM_BYTES], hash[16];
	enum fault fault = FAULT_NUM;

	if (!md5 || EVP_DigestInit_ex(md5, EVP_md5(), NULL) != 1)
		abort();
	for (size_t i = 0; i < c->n && fault == FAULT_NUM; i++) {
		const struct upload_part *p = upload_part(u, c->parts[i].number);

		if (!p || strcmp(p->md5, c->parts[i].etag) != 0 ||
		    (c->parts[i].sum[0] && c->parts[i].sum_kind == u->sum_kind &&
		     strcmp(c->parts[i].sum, p->sum) != 0)) {
			fault = FAULT_INVALID_PART;
			break;
		}
		multipart_bytes(p->md5, raw);
		EVP_DigestUpdate(md5, raw, 16);
		if (!u->sum_whole && u->sum_kind && s3_unbase64(p->sum, raw, sum_size))
			s3_sum_add(sum, raw, sum_size);
		memcpy(r->job.names[i], p->data, UUID_SIZE);
	}
	EVP_DigestFinal_ex(md5, hash, NULL);
	EVP_MD_CTX_free(md5);
	s3_sum_free(sum, raw);
	if (fault != FAULT_NUM) {
		answer_fault(r, fault, NULL);
		return false;
	}
	for (int i = 0; i < 16; i++)
		sprintf(m->etag + 2 * i, "%02x", hash[i]);
	sprintf(m->etag + 32, "-%zu", c->n);
	if (u->sum_kind && !u->sum_whole) {
		s3_base64(raw, sum_size, m->sum);
		sprintf(m->sum + strlen(m->sum), "-%zu", c->n);
	}
	return true;
}

static void multipart_complete_answer(struct request *r, const struct multipart *m)
{
	const struct upload *u = m->upload;
	autobuf struct buf b = { 0 };

	xml_begin(&b, "CompleteMultipartUploadResult");
	buf_addf(&b, "<Location>/%s</Location>", r->bucket_name);
	s3_xml_put(&b, "Bucket", r->bucket_name);
	s3_xml_put(&b, "Key", r->key);
	xml_etag(&b, m->etag);
	if (u->sum_kind) {
		s3_xml_put(&b, s3_sum_rows[u->sum_kind].element, m->sum);
		s3_xml_put(&b, "ChecksumType", u->sum_whole ? "FULL_OBJECT" : "COMPOSITE");
	}
	buf_adds(&b, "</CompleteMultipartUploadResult>");
	answer_xml(r, &b);
}

static int multipart_store(struct request *r, struct multipart *m, struct err *e)
{
	struct upload *u = m->upload;
	struct object_sum sum = { .kind = u->sum_kind, .whole = u->sum_whole };
	json_t *meta;
	int rc;

	snprintf(sum.text, sizeof(sum.text), "%s", m->sum);
	meta = object_make(r->key, &r->draft, m->etag, u->head, &sum);
	rc = meta ? bucket_put(r->draft.bucket, meta, e)
		  : err_set(e, ERR_INTERNAL, "an object's JSON cannot be made");
	json_decref(meta);
	return rc;
}

static void multipart_completed(struct draft_job *j)
{
	struct request *r = container_of(j, struct request, job);
	struct multipart *m = r->own;
	struct upload *u = m->upload;
	struct err e;

	if (u->sum_whole)
		s3_base64(j->sum, s3_sum_rows[u->sum_kind].size, m->sum);
	u->completing = false;
	if (j->rc) {
		store_fail(&e, -j->rc, "put the parts together");
		answer_err(r, FAULT_INTERNAL, &e);
	} else if (m->sum_want[0] && strcmp(m->sum_want, m->sum) != 0) {
		answer_fault(r, FAULT_BAD_DIGEST, NULL);
	} else if (multipart_store(r, m, &e)) {
		answer_err(r, FAULT_INTERNAL, &e);
	} else {
		struct bucket *b = r->draft.bucket;

		draft_keep(&r->draft);
		multipart_complete_answer(r, m);
		m->upload = NULL;
		upload_end(b, u);
	}
	draft_drop(&r->draft);
	request_finish(r);
}

void multipart_op_complete(struct request *r)
{
	struct bucket *b = request_bucket(r);
	struct upload *u = b ? multipart_find(r, b) : NULL;
	struct multipart *m;
	struct s3_complete c;
	const char *want;
	struct err e;

	if (!u)
		return;
	if (u->busy) {
		answer_fault(r, FAULT_BUSY, NULL);
		return;
	}
	if (s3_complete_parse(&c, (const char *)r->receive.body.data, r->receive.body.size, &e)) {
		answer_fault(
			r, e.kind == ERR_CONFLICT ? FAULT_INVALID_PART_ORDER : FAULT_MALFORMED_XML,
			NULL);
		return;
	}
	m = multipart_hold(r, u);
	want = u->sum_kind ? request_header(r, s3_sum_rows[u->sum_kind].header) : NULL;
	snprintf(m->sum_want, sizeof(m->sum_want), "%s", want ? want : "");
	r->job.names = xcalloc(c.n, sizeof(*r->job.names));
	r->job.n = c.n;
	r->job.sum_kind = u->sum_whole ? u->sum_kind : S3_SUM_NONE;
	if (object_may_write(r, bucket_find(b, r->key)) && multipart_sum_up(r, m, &c)) {
		if (draft_begin(&r->draft, b, &e)) {
			answer_err(r, FAULT_INTERNAL, &e);
		} else {
			u->completing = true;
			request_work(r, multipart_completed);
		}
	}
	s3_complete_free(&c);
}
