/* list.c - ListObjects, in key order.  A page ends at max-keys entries, objects and common prefixes
 * counted alike; the token of a V2 page is the last name of the page before, in hex. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "objects/list.h"
#include "objects/ops.h"

struct list_page {
	struct buf objects, prefixes;
	size_t n;
	bool truncated;
	char last[S3_KEY_SIZE]; /* the last key or common prefix that was listed */
};

void list_put_name(struct buf *b, const char *element, const char *name, bool url)
{
	autobuf struct buf text = { 0 };

	if (url)
		percent_encode(&text, name, "/*");
	s3_xml_put(b, element, url ? buf_str(&text) : name);
}

static void list_put_object(struct request *r, struct list_page *p, const struct list_ask *ask,
			    const struct object *o)
{
	struct buf *b = &p->objects;

	buf_adds(b, "<Contents>");
	list_put_name(b, "Key", o->key, ask->url);
	xml_time(b, "LastModified", o->at_ms);
	xml_etag(b, o->etag);
	buf_addf(b, "<Size>%llu</Size>", (unsigned long long)o->size);
	if (ask->owner)
		xml_owner(b, r, "Owner");
	buf_adds(b, "<StorageClass>STANDARD</StorageClass></Contents>");
	snprintf(p->last, sizeof(p->last), "%s", o->key);
}

/* The first key behind all keys that begin with @prefix. */
static size_t list_skip(const struct bucket *b, size_t i, const char *prefix)
{
	size_t size = strlen(prefix), low = i, high = b->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strncmp(b->objects[middle]->key, prefix, size) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void list_fill(struct request *r, const struct bucket *b, const struct list_ask *ask,
		      struct list_page *p)
{
	size_t prefix = strlen(ask->prefix), delimiter = strlen(ask->delimiter);
	size_t i = bucket_seek(b, ask->prefix);

	if (strcmp(ask->after, ask->prefix) >= 0 && *ask->after)
		i = bucket_seek(b, ask->after);
	while (i < b->n && !strncmp(b->objects[i]->key, ask->prefix, prefix)) {
		const struct object *o = b->objects[i];
		const char *cut = delimiter ? strstr(o->key + prefix, ask->delimiter) : NULL;
		char common[S3_KEY_SIZE];

		if (cut)
			snprintf(common, sizeof(common), "%.*s",
				 (int)(cut - o->key + (ptrdiff_t)delimiter), o->key);
		/* An earlier page listed the key already, or the prefix that it falls under. */
		if (*ask->after && strcmp(cut ? common : o->key, ask->after) <= 0) {
			i = cut ? list_skip(b, i, common) : i + 1;
			continue;
		}
		if (p->n == ask->max) {
			p->truncated = true;
			return;
		}
		p->n++;
		if (!cut) {
			list_put_object(r, p, ask, o);
			i++;
			continue;
		}
		buf_adds(&p->prefixes, "<CommonPrefixes>");
		list_put_name(&p->prefixes, "Prefix", common, ask->url);
		buf_adds(&p->prefixes, "</CommonPrefixes>");
		memcpy(p->last, common, sizeof(common));
		i = list_skip(b, i, common);
	}
}

const char *list_param(const struct request *r, const char *name)
{
	const char *value = request_param(r, name);

	return value ? value : "";
}

bool list_ask(struct request *r, struct list_ask *ask, const char *max)
{
	const char *text = request_param(r, max), *encoding = request_param(r, "encoding-type");

	ask->prefix = list_param(r, "prefix");
	ask->delimiter = list_param(r, "delimiter");
	ask->max = LIST_MAX;
	if (text && (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)) {
		answer_fault(r, FAULT_INVALID_ARGUMENT, "Provided max-keys is not an integer.");
		return false;
	}
	if (text && strtoul(text, NULL, 10) < LIST_MAX)
		ask->max = strtoul(text, NULL, 10);
	if (encoding && strcmp(encoding, "url") != 0) {
		answer_fault(r, FAULT_INVALID_ARGUMENT,
			     "Invalid Encoding Method specified in Request");
		return false;
	}
	ask->url = encoding != NULL;
	return true;
}

static void list_begin(struct request *r, struct buf *b, const struct list_ask *ask,
		       const struct list_page *p)
{
	xml_begin(b, "ListBucketResult");
	s3_xml_put(b, "Name", r->bucket_name);
	list_put_name(b, "Prefix", ask->prefix, ask->url);
	if (*ask->delimiter)
		list_put_name(b, "Delimiter", ask->delimiter, ask->url);
	buf_addf(b, "<MaxKeys>%zu</MaxKeys><IsTruncated>%s</IsTruncated>", ask->max,
		 p->truncated ? "true" : "false");
	if (ask->url)
		buf_adds(b, "<EncodingType>url</EncodingType>");
}

static void list_finish(struct request *r, struct buf *b, struct list_page *p)
{
	buf_add(b, p->objects.data, p->objects.size);
	buf_add(b, p->prefixes.data, p->prefixes.size);
	buf_adds(b, "</ListBucketResult>");
	answer_xml(r, b);
	buf_free(&p->objects);
	buf_free(&p->prefixes);
}

void list_op_v1(struct request *r)
{
	struct bucket *bucket = request_bucket(r);
	struct list_ask ask = { .owner = true };
	struct list_page p = { 0 };
	autobuf struct buf b = { 0 };

	if (!bucket || !list_ask(r, &ask, "max-keys"))
		return;
	ask.after = list_param(r, "marker");
	list_fill(r, bucket, &ask, &p);
	list_begin(r, &b, &ask, &p);
	list_put_name(&b, "Marker", ask.after, ask.url);
	if (p.truncated)
		list_put_name(&b, "NextMarker", p.last, ask.url);
	list_finish(r, &b, &p);
}

/* False: this program did not make the token. */
static bool list_untoken(const char *token, char *name)
{
	size_t size = strlen(token);

	if (!size || size % 2 || size / 2 >= S3_KEY_SIZE || !hex_decode(token, name, size / 2))
		return false;
	name[size / 2] = '\0';
	return true;
}

void list_op_v2(struct request *r)
{
	struct bucket *bucket = request_bucket(r);
	const char *token = request_param(r, "continuation-token");
	const char *owner = request_param(r, "fetch-owner");
	struct list_page p = { 0 };
	struct list_ask ask = { 0 };
	autobuf struct buf b = { 0 };
	char after[S3_KEY_SIZE], next[2 * S3_KEY_SIZE];

	if (!bucket || !list_ask(r, &ask, "max-keys"))
		return;
	if (token && !list_untoken(token, after)) {
		answer_fault(r, FAULT_INVALID_ARGUMENT,
			     "The continuation token provided is incorrect");
		return;
	}
	ask.after = token ? after : list_param(r, "start-after");
	ask.owner = owner && !strcmp(owner, "true");
	list_fill(r, bucket, &ask, &p);
	list_begin(r, &b, &ask, &p);
	buf_addf(&b, "<KeyCount>%zu</KeyCount>", p.n);
	if (token)
		s3_xml_put(&b, "ContinuationToken", token);
	if (request_param(r, "start-after"))
		list_put_name(&b, "StartAfter", list_param(r, "start-after"), ask.url);
	if (p.truncated) {
		buf_adds(&b, "<NextContinuationToken>");
		hex_encode(p.last, strlen(p.last), next);
		buf_adds(&b, next);
		buf_adds(&b, "</NextContinuationToken>");
	}
	list_finish(r, &b, &p);
}
