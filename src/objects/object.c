/* object.c - what the operations on objects share: kept headers, conditions, ranges. */

#include "objects/object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define OBJECT_HEADERS_MAX (8 * KIB)

const struct object_kept object_kept[OBJECT_KEPT] = {
	{ "cache-control", "response-cache-control" },
	{ "content-disposition", "response-content-disposition" },
	{ "content-encoding", "response-content-encoding" },
	{ "content-language", "response-content-language" },
	{ "content-type", "response-content-type" },
	{ "expires", "response-expires" },
};

static bool object_keeps(const char *name)
{
	for (size_t i = 0; i < OBJECT_KEPT; i++)
		if (!strcmp(name, object_kept[i].header))
			return true;
	return !strncmp(name, "x-amz-meta-", 11);
}

/* "aws-chunked" describes how the request is framed, and not the object. */
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

	return object_headers_of(r, head->headers, head->n_headers);
}

json_t *object_headers_of(struct request *r, const struct http_header *list, size_t n_list)
{
	json_t *headers = json_object();
	size_t size = 0, n = 0;

	for (size_t i = 0; i < n_list; i++) {
		const char *name = list[i].name, *value = list[i].value;
		json_t *text;

		if (!object_keeps(name))
			continue;
		size += strlen(name) + strlen(value);
		text = strcmp(name, "content-encoding") ? json_string(value)
							: object_encoding(value);
		if (!text || size > OBJECT_HEADERS_MAX || ++n > OBJECT_HEADERS_NUM) {
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
	if ((r->if_match && (!o || !object_etag_in(r->if_match, o->etag))) ||
	    (r->if_none_match && o && object_etag_in(r->if_none_match, o->etag))) {
		answer_fault(r, FAULT_PRECONDITION, NULL);
		return false;
	}
	return true;
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
