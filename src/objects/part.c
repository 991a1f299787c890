/* part.c - UploadPart and UploadPartCopy. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "objects/discard.h"
#include "objects/multipart.h"
#include "objects/ops.h"
#include "objects/source.h"
#include "wire/sigv4.h"

struct part {
	struct upload *upload; /* held */
	struct upload_part part;
	bool copy, unsure;
	char *text; /* owned: its record */
};

void part_op_drop(struct request *r)
{
	struct part *p = r->own;

	if (!p)
		return;
	multipart_let_go(p->upload);
	free(p->text);
	free(p);
}

static unsigned part_number(const char *text)
{
	bool number = *text && strspn(text, "0123456789") == strlen(text) && strlen(text) <= 5;
	unsigned long n = number ? strtoul(text, NULL, 10) : 0;

	return n <= S3_PARTS_MAX ? (unsigned)n : 0;
}

int part_op_begin(struct request *r)
{
	unsigned number = part_number(request_param(r, "partNumber"));
	struct upload *u = multipart_find(r);
	struct part *p;

	if (!u)
		return -1;
	if (!number) {
		answer_fault(r, FAULT_INVALID_ARGUMENT,
			     "Part number must be an integer between 1 and 10000, inclusive");
		return -1;
	}
	if (u->ending) {
		answer_fault(r, FAULT_BUSY, NULL);
		return -1;
	}
	p = r->own = xcalloc(1, sizeof(*p));
	p->upload = multipart_hold(u);
	p->part.number = number;
	r->receive.sum_kind = u->sum_kind;
	return 0;
}

int part_op_copy_begin(struct request *r)
{
	struct part *p;

	if (part_op_begin(r) || source_begin(r))
		return -1;
	p = r->own;
	p->copy = true;
	r->copying.sum_kind = p->upload->sum_kind;
	return 0;
}

static void part_answer(struct request *r, bool copy, const struct upload_part *p)
{
	char etag[48];
	struct http_header headers[2] = { { "etag", etag } };
	enum s3_sum_kind kind = r->receive.sum_kind;
	autobuf struct buf b = { 0 };

	snprintf(etag, sizeof(etag), "\"%s\"", p->md5);
	if (copy) {
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

static void part_run(struct request *r)
{
	struct part *p = r->own;

	r->rc = upload_put_part(p->upload, p->part.number, p->text, &p->unsure);
}

static void part_done(struct request *r)
{
	struct part *p = r->own;
	char old[UUID_SIZE];
	struct err e;

	if (r->rc) {
		if (p->unsure) /* a restart may find the record, so its bytes must stay */
			draft_keep(&r->draft);
		store_fail(&e, -r->rc, "write the record of a part");
		answer_err(r, FAULT_INTERNAL, &e);
		draft_drop(&r->s3->store, &r->draft);
		return;
	}
	draft_keep(&r->draft);
	upload_insert(p->upload, &p->part, old);
	if (old[0])
		discard_data(&r->s3->store, r->bucket, old);
	part_answer(r, p->copy, &p->part);
}

static const struct step part_step = { .lane = STORE_CHANGES, .run = part_run, .done = part_done };

/* The bytes of a copy were not hashed: its ETag is the hash of its unique file name.
 */
static void part_copy_sums(struct request *r, struct upload_part *p)
{
	char id[65];

	sha256_hex(p->data, strlen(p->data), id);
	snprintf(p->md5, sizeof(p->md5), "%.32s", id);
	s3_base64(r->copying.sum, s3_sum_rows[r->copying.sum_kind].size, p->sum);
}

static void part_made(struct request *r)
{
	struct part *p = r->own;
	struct err e;

	if (r->rc) {
		store_fail(&e, -r->rc, "write a part");
		answer_err(r, FAULT_INTERNAL, &e);
		return;
	}
	p->part.size = r->draft.size;
	p->part.at_ms = clock_wall_ms();
	memcpy(p->part.data, r->draft.data, UUID_SIZE);
	if (p->copy) {
		part_copy_sums(r, &p->part);
	} else {
		memcpy(p->part.md5, r->receive.md5_hex, sizeof(p->part.md5));
		memcpy(p->part.sum, r->receive.sum_text, sizeof(p->part.sum));
	}
	p->text = upload_part_text(&p->part);
	request_step(r, &part_step);
}

void part_op_run(struct request *r)
{
	request_make(r, part_made);
}

static void part_copy_opened(struct request *r)
{
	request_make(r, part_made);
}

void part_op_copy_run(struct request *r)
{
	if (r->draft.size)
		answer_fault(r, FAULT_INVALID_REQUEST, "A copy has no body.");
	else
		source_open(r, part_copy_opened);
}
