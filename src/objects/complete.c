/* complete.c - CompleteMultipartUpload: the parts are copied into one file, a record makes it an
 * object, and then the upload and its parts go. */

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "objects/commit.h"
#include "objects/multipart.h"
#include "objects/object.h"
#include "objects/ops.h"

struct complete {
	struct upload *upload; /* held, and ending; NULL: let go */
	char etag[80], sum[S3_SUM_TEXT + 8], sum_want[S3_SUM_TEXT + 8];
};

static void complete_let_go(struct complete *m)
{
	if (m->upload)
		m->upload->ending = false;
	multipart_let_go(m->upload);
	m->upload = NULL;
}

void complete_op_drop(struct request *r)
{
	if (r->own)
		complete_let_go(r->own);
	free(r->own);
}

static bool complete_part_fits(const struct upload *u, const struct s3_part *asked)
{
	const struct upload_part *p = upload_part(u, asked->number);
	uint8_t raw[16];

	return p && !strcmp(p->md5, asked->etag) && hex_decode(p->md5, raw, sizeof(raw)) &&
	       (!asked->sum[0] || asked->sum_kind != u->sum_kind || !strcmp(asked->sum, p->sum));
}

/* Chooses the parts that the client asked for, in order.  False: the request is answered. */
static bool complete_choose(struct request *r, const struct upload *u, const struct s3_complete *c)
{
	r->copying.names = xcalloc(c->n, sizeof(*r->copying.names));
	r->copying.n = c->n;
	for (size_t i = 0; i < c->n; i++) {
		if (!complete_part_fits(u, &c->parts[i])) {
			answer_fault(r, FAULT_INVALID_PART, NULL);
			return false;
		}
		memcpy(r->copying.names[i], upload_part(u, c->parts[i].number)->data, UUID_SIZE);
	}
	return true;
}

static void complete_etag(struct complete *m, const struct s3_complete *c)
{
	EVP_MD_CTX *md5 = EVP_MD_CTX_new();
	uint8_t raw[16];

	if (!md5 || EVP_DigestInit_ex(md5, EVP_md5(), NULL) != 1)
		abort();
	for (size_t i = 0; i < c->n; i++) {
		if (!hex_decode(upload_part(m->upload, c->parts[i].number)->md5, raw, sizeof(raw)))
			abort();
		EVP_DigestUpdate(md5, raw, sizeof(raw));
	}
	EVP_DigestFinal_ex(md5, raw, NULL);
	EVP_MD_CTX_free(md5);
	hex_encode(raw, sizeof(raw), m->etag);
	sprintf(m->etag + 2 * sizeof(raw), "-%zu", c->n);
}

/* A composite checksum is the checksum of the parts' checksums. */
static void complete_composite(struct complete *m, const struct s3_complete *c)
{
	const struct upload *u = m->upload;
	struct s3_sum *sum = s3_sum_new(u->sum_kind);
	size_t size = s3_sum_rows[u->sum_kind].size;
	uint8_t raw[S3_SUM_BYTES];

	for (size_t i = 0; i < c->n; i++)
		if (s3_unbase64(upload_part(u, c->parts[i].number)->sum, raw, size))
			s3_sum_add(sum, raw, size);
	s3_sum_free(sum, raw);
	s3_base64(raw, size, m->sum);
	sprintf(m->sum + strlen(m->sum), "-%zu", c->n);
}

static void complete_answer(struct request *r, const struct complete *m)
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

/* The upload is out of its bucket by now.  It comes back if its record cannot be removed. */

static void complete_erase_run(struct request *r)
{
	const struct complete *m = r->own;

	r->rc = upload_erase(r->bucket->uploads, m->upload);
}

static void complete_erase_done(struct request *r)
{
	struct complete *m = r->own;
	struct upload *u = m->upload;

	complete_let_go(m);
	if (r->rc) {
		log_warn("a completed upload cannot be deleted upload=%s errno=%d", u->id, -r->rc);
		upload_add(&r->bucket->multiparts, u);
	} else {
		multipart_forget(r, u);
	}
}

static const struct step complete_erase_step = {
	.lane = STORE_CHANGES,
	.run = complete_erase_run,
	.done = complete_erase_done,
};

static void complete_committed(struct request *r, const struct object *o)
{
	struct complete *m = r->own;

	(void)o;
	complete_answer(r, m);
	list_del(&m->upload->in);
	request_step(r, &complete_erase_step);
}

static void complete_made(struct request *r)
{
	struct complete *m = r->own;
	const struct upload *u = m->upload;
	struct object_sum sum = { .kind = u->sum_kind, .whole = u->sum_whole };
	struct err e;

	if (r->rc) {
		store_fail(&e, -r->rc, "put the parts together");
		answer_err(r, FAULT_INTERNAL, &e);
		return;
	}
	if (u->sum_whole)
		s3_base64(r->copying.sum, s3_sum_rows[u->sum_kind].size, m->sum);
	if (m->sum_want[0] && strcmp(m->sum_want, m->sum) != 0) {
		answer_fault(r, FAULT_BAD_DIGEST, NULL);
		return;
	}
	snprintf(sum.text, sizeof(sum.text), "%s", m->sum);
	commit_start(r, object_make(r->key, &r->draft, m->etag, u->head, &sum), complete_committed);
}

static void complete_start(struct request *r, struct upload *u, const struct s3_complete *c)
{
	const char *want = u->sum_kind ? request_header(r, s3_sum_rows[u->sum_kind].header) : NULL;
	struct complete *m;

	if (!object_may_write(r, bucket_find(r->bucket, r->key)) || !complete_choose(r, u, c))
		return;
	m = r->own = xcalloc(1, sizeof(*m));
	m->upload = multipart_hold(u);
	u->ending = true;
	snprintf(m->sum_want, sizeof(m->sum_want), "%s", want ? want : "");
	complete_etag(m, c);
	if (u->sum_kind && !u->sum_whole)
		complete_composite(m, c);
	r->copying.sum_kind = u->sum_whole ? u->sum_kind : S3_SUM_NONE;
	draft_begin(&r->draft, r->bucket);
	request_make(r, complete_made);
}

void complete_op_run(struct request *r)
{
	const struct buf *body = &r->receive.body;
	struct upload *u = multipart_find_idle(r);
	struct s3_complete c;
	struct err e;

	if (!u)
		return;
	if (s3_complete_parse(&c, (const char *)body->data, body->size, &e)) {
		answer_fault(
			r, e.kind == ERR_CONFLICT ? FAULT_INVALID_PART_ORDER : FAULT_MALFORMED_XML,
			NULL);
		return;
	}
	complete_start(r, u, &c);
	s3_complete_free(&c);
}
