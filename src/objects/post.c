/* post.c - PostObject: a browser's form puts a file where the policy in it allows it.
 *
 * Nothing of the file is taken before the fields in front of it have said who has signed the policy
 * and what it allows. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "objects/authorize.h"
#include "objects/commit.h"
#include "objects/object.h"
#include "objects/ops.h"
#include "wire/s3_form.h"

struct post {
	struct s3_form form;
	struct s3_form_range range;
	uint64_t size;
	bool whole;
	json_t *headers;
	char etag[80];
	struct object_sum sum;
};

void post_op_drop(struct request *r)
{
	struct post *p = r->own;

	if (!p)
		return;
	s3_form_free(&p->form);
	json_decref(p->headers);
	free(p);
}

int post_op_begin(struct request *r)
{
	struct post *p = xcalloc(1, sizeof(*p));

	r->own = p;
	if (s3_form_begin(&p->form, request_header(r, "content-type")))
		return 0;
	answer_fault(r, FAULT_INVALID_REQUEST, "The form's Content-Type has no proper boundary.");
	return -1;
}

static int post_signed(struct request *r, struct err *e)
{
	struct post *p = r->own;
	struct s3_form_claim claim;
	const char *secret, *session;

	if (s3_form_read_claim(&p->form, &claim, e))
		return -1;
	session = s3_form_field(&p->form, "x-amz-security-token");
	secret = request_secret(r, claim.access_key, session ? session : "", e);
	if (!secret || s3_form_verify(&p->form, &claim, secret, e)) {
		request_penalize(r, e);
		return -1;
	}
	if (claim.v4 && strcmp(claim.region, r->s3->region) != 0)
		return err_set(
			e, ERR_DENIED,
			"AccessDenied: The form is signed for the region '%s'; this is '%s'.",
			claim.region, r->s3->region);
	return 0;
}

static int post_key(struct request *r, struct err *e)
{
	struct post *p = r->own;
	autobuf struct buf key = { 0 };

	if (!s3_form_key(&p->form, &key))
		return err_set(e, ERR_INVALID, "InvalidArgument: The form has no key.");
	if (!s3_key_valid(buf_str(&key), key.size))
		return err_set(e, ERR_INVALID,
			       "InvalidArgument: The key is too long, or not UTF-8.");
	snprintf(r->key, sizeof(r->key), "%s", buf_str(&key));
	return s3_form_judge(&p->form, r->bucket_name, r->key, clock_wall_ms(), &p->range, e);
}

/* What would be checked or kept by another request must not be ignored. */
static int post_known(const struct post *p, struct err *e)
{
	static const char *const known[] = { "x-amz-algorithm",    "x-amz-credential",
					     "x-amz-date",         "x-amz-signature",
					     "x-amz-meta-",        "x-amz-security-token",
					     "x-amz-storage-class" };

	for (size_t i = 0; i < p->form.n; i++) {
		const char *name = (const char *)p->form.text.data + p->form.fields[i].name;
		bool fine = strncmp(name, "x-amz-", 6) != 0 && strcmp(name, "tagging") != 0;

		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			fine = fine || !strncmp(name, known[k], strlen(known[k]));
		if (!fine)
			return err_set(e, ERR_INVALID,
				       "NotImplemented: The field '%.100s' is not "
				       "implemented.",
				       name);
	}
	return 0;
}

static json_t *post_headers(struct request *r)
{
	const struct s3_form *f = &((struct post *)r->own)->form;
	struct http_header list[S3_FORM_FIELDS];
	const char *text = (const char *)f->text.data;

	for (size_t i = 0; i < f->n; i++) {
		list[i] =
			(struct http_header){ text + f->fields[i].name, text + f->fields[i].value };
		/* It will be a header of answers. */
		for (const char *c = list[i].value; *c; c++)
			if ((unsigned char)*c < ' ' && *c != '\t')
				list[i].name = "";
	}
	return object_headers_of(r, list, f->n);
}

/* Everything before the file is there.  -1: the request is answered. */
static int post_open(struct request *r)
{
	static const struct sigv4_claim unsigned_body = { .payload = "UNSIGNED-PAYLOAD" };
	struct post *p = r->own;
	struct err e;

	if (post_signed(r, &e) || post_key(r, &e) || post_known(p, &e)) {
		answer_signature(r, &e);
		return -1;
	}
	if (!authorize_request(r))
		return -1;
	p->headers = request_bucket(r) ? post_headers(r) : NULL;
	if (!p->headers)
		return -1;
	p->sum.whole = true;
	draft_begin(&r->draft, r->bucket);
	r->receive.draft = &r->draft;
	r->receive.unsummed = true;
	if (receive_begin(&r->receive, http_request(r->x), &unsigned_body, NULL, &e)) {
		answer_signature(r, &e);
		return -1;
	}
	r->receive.length = -1; /* that of the body is of the whole form */
	return 0;
}

static int post_data(struct request *r, const uint8_t *data, size_t size, struct err *e)
{
	struct post *p = r->own;

	p->size += size;
	if (p->size > p->range.most)
		return err_set(e, ERR_INVALID,
			       "EntityTooLarge: Your proposed upload exceeds the maximum allowed "
			       "size.");
	return receive_data(&r->receive, data, size, e);
}

void post_op_take(struct request *r, const uint8_t *data, size_t size)
{
	struct post *p = r->own;
	enum s3_form_event event;
	const uint8_t *piece;
	size_t used, n;
	struct err e;

	do {
		event = s3_form_next(&p->form, data, size, &used, &piece, &n);
		data += used;
		size -= used;
		if (event == S3_FORM_FILE && post_open(r))
			return;
		if (event == S3_FORM_DATA && post_data(r, piece, n, &e)) {
			answer_signature(r, &e);
			return;
		}
		p->whole = p->whole || event == S3_FORM_END;
		if (event == S3_FORM_BAD) {
			err_set(&e, ERR_INVALID,
				"MalformedPOSTRequest: The body of your POST request "
				"is not well-formed multipart/form-data.");
			answer_signature(r, &e);
			return;
		}
	} while (event != S3_FORM_MORE);
	request_flush(r);
}

int post_op_end(struct request *r, struct err *e)
{
	struct post *p = r->own;

	if (!p->whole)
		return err_set(e, ERR_INVALID,
			       "MalformedPOSTRequest: The form has no file, or ends "
			       "within it.");
	if (p->size < p->range.least)
		return err_set(e, ERR_INVALID,
			       "EntityTooSmall: Your proposed upload is smaller than "
			       "the minimum allowed size.");
	return receive_end(&r->receive, e);
}

/* "URL?bucket=apps&key=a&etag=%22...%22"; false: the field names none. */
static bool post_redirect(const struct request *r, const char *url, struct buf *to)
{
	const struct post *p = r->own;

	if (!url || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0))
		return false;
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	buf_addf(to, "%s%sbucket=%s&key=", url, strchr(url, '?') ? "&" : "?", r->bucket_name);
	percent_encode(to, r->key, "");
	buf_addf(to, "&etag=%%22%s%%22", p->etag);
	return true;
}

static void post_answer(struct request *r, const struct object *o)
{
	struct post *p = r->own;
	const char *status = s3_form_field(&p->form, "success_action_status");
	const char *url = s3_form_field(&p->form, "success_action_redirect");
	autobuf struct buf location = { 0 }, document = { 0 };
	char etag[96];
	struct http_header headers[2] = { { "etag", etag } };

	(void)o;
	snprintf(etag, sizeof(etag), "\"%s\"", p->etag);
	if (post_redirect(r, url, &location)) {
		headers[1] = (struct http_header){ "location", buf_str(&location) };
		answer_empty(r, 303, headers, 2);
		return;
	}
	if (!status || strcmp(status, "201") != 0) {
		answer_empty(r, status && !strcmp(status, "200") ? 200 : 204, headers, 1);
		return;
	}
	buf_addf(&location, "/%s/", r->bucket_name);
	percent_encode(&location, r->key, "/");
	xml_begin(&document, "PostResponse");
	s3_xml_put(&document, "Location", buf_str(&location));
	s3_xml_put(&document, "Bucket", r->bucket_name);
	s3_xml_put(&document, "Key", r->key);
	xml_etag(&document, p->etag);
	buf_adds(&document, "</PostResponse>");
	answer_document(r, 201, headers, 1, &document);
}

static void post_made(struct request *r)
{
	struct post *p = r->own;
	struct err e;

	if (r->rc) {
		store_fail(&e, -r->rc, "write the object");
		answer_err(r, FAULT_INTERNAL, &e);
		return;
	}
	commit_start(r, object_make(r->key, &r->draft, p->etag, p->headers, &p->sum), post_answer);
}

void post_op_run(struct request *r)
{
	struct post *p = r->own;

	snprintf(p->etag, sizeof(p->etag), "%s", r->receive.md5_hex);
	request_make(r, post_made);
}
