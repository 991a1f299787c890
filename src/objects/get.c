/* get.c - GetObject and HeadObject. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "objects/object.h"
#include "objects/ops.h"

static int64_t get_date(const char *text)
{
	struct tm tm = { 0 };

	if (!text || !strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm))
		return -1;
	return (int64_t)timegm(&tm);
}

/* RFC 9110 13.2.2.  0: go on; else the status to answer. */
static unsigned get_conditions(struct request *r, const struct object *o)
{
	const char *match = request_header(r, "if-match"),
		   *none = request_header(r, "if-none-match");
	int64_t unmodified = get_date(request_header(r, "if-unmodified-since"));
	int64_t modified = get_date(request_header(r, "if-modified-since"));
	int64_t at = o->at_ms / 1000;

	if (match ? !object_etag_in(match, o->etag) : unmodified >= 0 && at > unmodified)
		return 412;
	if (none ? object_etag_in(none, o->etag) : modified >= 0 && at <= modified)
		return 304;
	return 0;
}

struct get_answer {
	struct http_header headers[OBJECT_HEADERS_NUM + 12];
	size_t n;
	char etag[80], date[40], range[80];
};

static void get_send_header(struct get_answer *a, const char *name, const char *value)
{
	if (value && *value && a->n < ARRAY_SIZE(a->headers))
		a->headers[a->n++] = (struct http_header){ name, value };
}

static void get_send_headers(struct request *r, struct get_answer *a, const struct object *o,
			     json_t *meta)
{
	json_t *headers = json_object_get(meta, "headers"), *value;
	time_t at = (time_t)(o->at_ms / 1000);
	const char *name;
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(a->date, sizeof(a->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	snprintf(a->etag, sizeof(a->etag), "\"%s\"", o->etag);
	get_send_header(a, "accept-ranges", "bytes");
	get_send_header(a, "etag", a->etag);
	get_send_header(a, "last-modified", a->date);
	for (size_t i = 0; i < OBJECT_KEPT; i++)
		get_send_header(a, object_kept[i].header, request_param(r, object_kept[i].param));
	if (!json_object_get(headers, "content-type") && !request_param(r, "response-content-type"))
		get_send_header(a, "content-type", "binary/octet-stream");
	json_object_foreach(headers, name, value)
	{
		bool said = false;

		for (size_t i = 0; i < a->n; i++)
			said = said || !strcmp(a->headers[i].name, name);
		if (!said)
			get_send_header(a, name, json_string_value(value));
	}
}

static void get_send_sum(struct request *r, struct get_answer *a, json_t *meta)
{
	const char *mode = request_header(r, "x-amz-checksum-mode");
	const char *kind = json_string_value(json_object_get(meta, "sumKind"));
	bool whole = json_is_true(json_object_get(meta, "sumWhole"));

	if (!mode || strcmp(mode, "ENABLED") != 0 || !kind || !*kind)
		return;
	get_send_header(a, s3_sum_rows[s3_sum_by_name(kind)].header,
			json_string_value(json_object_get(meta, "sum")));
	get_send_header(a, "x-amz-checksum-type", whole ? "FULL_OBJECT" : "COMPOSITE");
}

static void get_send(struct request *r, const struct object *o, json_t *meta)
{
	struct get_answer a = { 0 };
	uint64_t at = 0, left = o->size;
	int range = object_range(request_header(r, "range"), o->size, &at, &left);
	unsigned status;

	get_send_header(&a, "x-amz-request-id", r->id);
	get_send_headers(r, &a, o, meta);
	status = get_conditions(r, o);
	if (status == 412 || (!status && range < 0)) {
		answer_fault(r, status ? FAULT_PRECONDITION : FAULT_INVALID_RANGE, NULL);
		return;
	}
	if (status == 304) {
		answer_empty(r, 304, a.headers + 1, 3);
		return;
	}
	if (range > 0) {
		snprintf(a.range, sizeof(a.range), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, at,
			 at + left - 1, o->size);
		get_send_header(&a, "content-range", a.range);
	} else {
		get_send_sum(r, &a, meta);
	}
	r->phase = REQUEST_ANSWERED;
	http_send_head(r->x, range > 0 ? 206 : 200, a.headers, a.n, (int64_t)left);
	r->send.at = at;
	r->send.left = strcmp(r->op->method, "HEAD") ? left : 0;
	request_send(r);
}

static void get_run(struct request *r)
{
	r->rc = found_open(&r->found, r->bucket, r->key, strcmp(r->op->method, "HEAD") != 0);
}

static void get_done(struct request *r)
{
	struct err e;

	if (!r->x)
		return;
	if (r->rc == -ENOENT) {
		answer_fault(r, FAULT_NO_KEY, NULL);
	} else if (r->rc) {
		store_fail(&e, -r->rc, "open an object");
		answer_err(r, FAULT_INTERNAL, &e);
	} else {
		get_send(r, r->found.object, r->found.meta);
	}
}

static const struct step get_step = { .lane = STORE_READS, .run = get_run, .done = get_done };

void get_op_run(struct request *r)
{
	const struct bucket *b = request_bucket(r);

	if (!b)
		return;
	if (bucket_find(b, r->key))
		request_step(r, &get_step);
	else
		answer_fault(r, FAULT_NO_KEY, NULL);
}
