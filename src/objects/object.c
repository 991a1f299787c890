/* object.c - reading and deleting objects, and what the writing ones share. */

#include "objects/object.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "objects/bucket.h"

#define OBJECT_HEADERS_MOST (8 * KIB)
#define OBJECT_HEADERS_NUM  24

/* Kept with the object and said again; the query may say another value for one answer. */
static const struct {
	const char *header, *param;
} object_kept[] = {
	{ "cache-control", "response-cache-control" },
	{ "content-disposition", "response-content-disposition" },
	{ "content-encoding", "response-content-encoding" },
	{ "content-language", "response-content-language" },
	{ "content-type", "response-content-type" },
	{ "expires", "response-expires" },
};

static bool object_keeps(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(object_kept); i++)
		if (!strcmp(name, object_kept[i].header))
			return true;
	return !strncmp(name, "x-amz-meta-", 11);
}

/* "aws-chunked" is a framing of the request, not of the object. */
static json_t *object_encoding(const char *value)
{
	char text[256];
	const char *rest = value;

	if (!strncmp(value, "aws-chunked", 11))
		rest = value + 11 + strspn(value + 11, ", ");
	snprintf(text, sizeof(text), "%s", rest);
	return *text ? json_string(text) : json_null();
}

json_t *object_headers(struct request *r)
{
	const struct http_head *head = http_request(r->x);
	json_t *headers = json_object();
	size_t size = 0, n = 0;

	for (size_t i = 0; i < head->n_headers; i++) {
		const char *name = head->headers[i].name, *value = head->headers[i].value;
		json_t *text;

		if (!object_keeps(name))
			continue;
		size += strlen(name) + strlen(value);
		text = strcmp(name, "content-encoding") ? json_string(value)
							: object_encoding(value);
		if (!text || size > OBJECT_HEADERS_MOST || ++n > OBJECT_HEADERS_NUM) {
			json_decref(text);
			json_decref(headers);
			answer_fault(r, FAULT_INVALID_ARGUMENT,
				     "The metadata of the object is not UTF-8, or too large.");
			return NULL;
		}
		if (json_is_null(text))
			json_decref(text);
		else
			json_object_set_new(headers, name, text);
	}
	return headers;
}

json_t *object_make(const char *key, const struct draft *d, const char *etag, json_t *headers,
		    const struct object_sum *sum)
{
	return json_pack("{s:s, s:s, s:I, s:s, s:I, s:O, s:s, s:s, s:b}", "key", key, "data",
			 d->data, "size", (json_int_t)d->size, "etag", etag, "at",
			 (json_int_t)clock_wall_ms(), "headers", headers, "sumKind",
			 s3_sum_rows[sum->kind].name, "sum", sum->text, "sumWhole", sum->whole);
}

/* A list of quoted ETags, or "*". */
bool object_etag_in(const char *list, const char *etag)
{
	size_t size = strlen(etag);

	while (*list) {
		size_t n;

		list += strspn(list, " \t,");
		if (!strncmp(list, "W/", 2))
			list += 2;
		n = strcspn(list, ",");
		while (n && (list[n - 1] == ' ' || list[n - 1] == '\t'))
			n--;
		if (n == 1 && *list == '*')
			return true;
		if (n == size + 2 && *list == '"' && !strncmp(list + 1, etag, size))
			return true;
		if (n == size && !strncmp(list, etag, size))
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

bool object_may_write(struct request *r, const struct object *o)
{
	const char *match = request_header(r, "if-match"),
		   *none = request_header(r, "if-none-match");

	if ((match && (!o || !object_etag_in(match, o->etag))) ||
	    (none && o && object_etag_in(none, o->etag))) {
		answer_fault(r, FAULT_PRECONDITION, NULL);
		return false;
	}
	return true;
}

struct object *object_source(struct request *r, struct bucket **bucket, int *fd)
{
	autofree char *name = xstrdup(request_header(r, "x-amz-copy-source")), *key = NULL;
	const char *match = request_header(r, "x-amz-copy-source-if-match");
	const char *none = request_header(r, "x-amz-copy-source-if-none-match");
	char *from = name + (*name == '/'), *to = from, *slash;
	struct object *o;

	from[strcspn(from, "?")] = '\0'; /* ?versionId= */
	for (char *c = from; *c; c++) {
		char hex[3] = { *c == '%' ? c[1] : '\0', '\0', '\0' };

		if (hex[0])
			hex[1] = c[2];
		if (isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]) &&
		    strcmp(hex, "00") != 0) {
			*to++ = (char)strtoul(hex, NULL, 16);
			c += 2;
		} else {
			*to++ = *c;
		}
	}
	*to = '\0';
	slash = strchr(from, '/');
	if (slash) {
		*slash = '\0';
		key = xstrdup(slash + 1);
	}
	*bucket = store_bucket(&r->s3->store, from);
	o = *bucket && key ? bucket_find(*bucket, key) : NULL;
	if (!o) {
		answer_fault(r, *bucket ? FAULT_NO_KEY : FAULT_NO_BUCKET, NULL);
		return NULL;
	}
	if ((match && !object_etag_in(match, o->etag)) || (none && object_etag_in(none, o->etag))) {
		answer_fault(r, FAULT_PRECONDITION, NULL);
		return NULL;
	}
	*fd = bucket_open_data(*bucket, o->data);
	if (*fd < 0) {
		answer_fault(r, FAULT_INTERNAL, NULL);
		return NULL;
	}
	return o;
}

int object_range(const char *text, uint64_t size, uint64_t *at, uint64_t *left)
{
	uint64_t first = 0, last = size ? size - 1 : 0;
	const char *dash;
	char *stop;

	if (!text || strncmp(text, "bytes=", 6) != 0 || strchr(text, ','))
		return 0;
	text += 6;
	dash = strchr(text, '-');
	if (!dash || strspn(text, "0123456789-") != strlen(text) || strchr(dash + 1, '-') ||
	    strlen(text) > 40 || (dash == text && !dash[1]))
		return 0;
	if (dash == text) {
		uint64_t n = strtoull(dash + 1, &stop, 10);

		if (!n || !size)
			return -1;
		first = n < size ? size - n : 0;
	} else {
		first = strtoull(text, &stop, 10);
		if (dash[1] && strtoull(dash + 1, &stop, 10) < last)
			last = strtoull(dash + 1, &stop, 10);
		if (dash[1] && strtoull(dash + 1, &stop, 10) < first)
			return 0;
		if (first >= size)
			return -1;
	}
	*at = first;
	*left = last - first + 1;
	return 1;
}

static int64_t object_date(const char *text)
{
	struct tm tm = { 0 };

	if (!text || !strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm))
		return -1;
	return (int64_t)timegm(&tm);
}

/* RFC 9110 13.2.2.  0: go on; else the status to answer. */
static unsigned object_conditions(struct request *r, const struct object *o)
{
	const char *match = request_header(r, "if-match"),
		   *none = request_header(r, "if-none-match");
	int64_t unmodified = object_date(request_header(r, "if-unmodified-since"));
	int64_t modified = object_date(request_header(r, "if-modified-since"));
	int64_t at = o->at_ms / 1000;

	if (match ? !object_etag_in(match, o->etag) : unmodified >= 0 && at > unmodified)
		return 412;
	if (none ? object_etag_in(none, o->etag) : modified >= 0 && at <= modified)
		return 304;
	return 0;
}

struct object_answer {
	struct http_header headers[OBJECT_HEADERS_NUM + 12];
	size_t n;
	char etag[80], date[40], range[80];
};

static void object_say(struct object_answer *a, const char *name, const char *value)
{
	if (value && *value && a->n < ARRAY_SIZE(a->headers))
		a->headers[a->n++] = (struct http_header){ name, value };
}

static void object_say_headers(struct request *r, struct object_answer *a, const struct object *o,
			       json_t *meta)
{
	json_t *headers = json_object_get(meta, "headers"), *value;
	time_t at = (time_t)(o->at_ms / 1000);
	const char *name;
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(a->date, sizeof(a->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	snprintf(a->etag, sizeof(a->etag), "\"%s\"", o->etag);
	object_say(a, "accept-ranges", "bytes");
	object_say(a, "etag", a->etag);
	object_say(a, "last-modified", a->date);
	for (size_t i = 0; i < ARRAY_SIZE(object_kept); i++)
		object_say(a, object_kept[i].header, request_param(r, object_kept[i].param));
	if (!json_object_get(headers, "content-type") && !request_param(r, "response-content-type"))
		object_say(a, "content-type", "binary/octet-stream");
	json_object_foreach(headers, name, value)
	{
		bool said = false;

		for (size_t i = 0; i < a->n; i++)
			said = said || !strcmp(a->headers[i].name, name);
		if (!said)
			object_say(a, name, json_string_value(value));
	}
}

static void object_say_sum(struct request *r, struct object_answer *a, json_t *meta)
{
	const char *mode = request_header(r, "x-amz-checksum-mode");
	const char *kind = json_string_value(json_object_get(meta, "sumKind"));
	bool whole = json_is_true(json_object_get(meta, "sumWhole"));

	if (!mode || strcmp(mode, "ENABLED") != 0 || !kind || !*kind)
		return;
	object_say(a, s3_sum_rows[s3_sum_by_name(kind)].header,
		   json_string_value(json_object_get(meta, "sum")));
	object_say(a, "x-amz-checksum-type", whole ? "FULL_OBJECT" : "COMPOSITE");
}

static void object_send(struct request *r, const struct object *o, json_t *meta)
{
	struct object_answer a = { 0 };
	uint64_t at = 0, left = o->size;
	int range = object_range(request_header(r, "range"), o->size, &at, &left);
	unsigned status;

	object_say(&a, "x-amz-request-id", r->id);
	object_say_headers(r, &a, o, meta);
	status = object_conditions(r, o);
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
		object_say(&a, "content-range", a.range);
	} else {
		object_say_sum(r, &a, meta);
	}
	r->answered = true;
	http_send_head(r->x, range > 0 ? 206 : 200, a.headers, a.n, (int64_t)left);
	r->send.at = at;
	r->send.left = strcmp(r->op->method, "HEAD") ? left : 0;
	s3_handler.writable(r->x);
}

void object_op_get(struct request *r)
{
	struct bucket *b = request_bucket(r);
	struct object *o = b ? bucket_find(b, r->key) : NULL;
	struct err e;
	json_t *meta;

	if (!b)
		return;
	if (!o) {
		answer_fault(r, FAULT_NO_KEY, NULL);
		return;
	}
	meta = bucket_meta(b, o, &e);
	if (!meta) {
		answer_err(r, FAULT_INTERNAL, &e);
		return;
	}
	r->send.fd = bucket_open_data(b, o->data);
	if (r->send.fd < 0) {
		store_fail(&e, -r->send.fd, "open an object's file");
		answer_err(r, FAULT_INTERNAL, &e);
	} else {
		object_send(r, o, meta);
	}
	json_decref(meta);
}

void object_op_delete(struct request *r)
{
	struct bucket *b = request_bucket(r);
	struct err e;

	if (!b)
		return;
	if (bucket_delete(b, r->key, &e))
		answer_err(r, FAULT_INTERNAL, &e);
	else
		answer_empty(r, 204, NULL, 0);
}
