/* index.c - the objects of a bucket: in memory in key order, each with its JSON on disk. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "objects/store.h"
#include "wire/sigv4.h"

void object_free(struct object *o)
{
	if (!o)
		return;
	free(o->key);
	free(o->etag);
	free(o);
}

struct object *object_of(json_t *meta)
{
	const char *key, *etag, *data;
	struct object *o;
	json_int_t size, at;

	if (json_unpack(meta, "{s:s, s:s, s:s, s:I, s:I}", "key", &key, "etag", &etag, "data",
			&data, "size", &size, "at", &at) ||
	    !s3_key_valid(key, strlen(key)) || !uuid_valid(data) || size < 0)
		return NULL;
	o = xcalloc(1, sizeof(*o));
	o->key = xstrdup(key);
	o->etag = xstrdup(etag);
	memcpy(o->data, data, UUID_SIZE);
	o->size = (uint64_t)size;
	o->at_ms = at;
	return o;
}

size_t bucket_seek(const struct bucket *b, const char *key)
{
	size_t low = 0, high = b->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(b->objects[middle]->key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct object *bucket_find(const struct bucket *b, const char *key)
{
	size_t i = bucket_seek(b, key);

	return i < b->n && !strcmp(b->objects[i]->key, key) ? b->objects[i] : NULL;
}

/* Into its place; what was there under this key is given back. */
struct object *bucket_insert(struct bucket *b, struct object *o)
{
	size_t i = bucket_seek(b, o->key);
	struct object *old;

	if (i < b->n && !strcmp(b->objects[i]->key, o->key)) {
		old = b->objects[i];
		b->objects[i] = o;
		return old;
	}
	if (b->n == b->room) {
		b->room = b->room ? b->room * 2 : 16;
		b->objects = xrealloc(b->objects, b->room * sizeof(struct object *));
	}
	memmove(b->objects + i + 1, b->objects + i, (b->n - i) * sizeof(struct object *));
	b->objects[i] = o;
	b->n++;
	return NULL;
}

json_t *bucket_meta(const struct bucket *b, const struct object *o, struct err *e)
{
	char name[65];

	sha256_hex(o->key, strlen(o->key), name);
	return store_read_json(b->meta, name, e);
}

int bucket_open_data(const struct bucket *b, const char *data)
{
	return io_open_below(b->data, data, O_RDONLY, 0);
}

void bucket_unlink_data(const struct bucket *b, const char *data)
{
	if (unlinkat(b->data, data, 0) && errno != ENOENT)
		log_warn("a data file stays data=%s errno=%d", data, errno);
}

int bucket_put(struct bucket *b, json_t *meta, struct err *e)
{
	struct object *o = object_of(meta), *old;
	char name[65];

	assert(o);
	sha256_hex(o->key, strlen(o->key), name);
	if (store_write_json(b->meta, name, meta, e)) {
		object_free(o);
		return -1;
	}
	old = bucket_insert(b, o);
	if (old)
		bucket_unlink_data(b, old->data);
	object_free(old);
	return 0;
}

int bucket_delete(struct bucket *b, const char *key, struct err *e)
{
	size_t i = bucket_seek(b, key);
	struct object *o = bucket_find(b, key);
	char name[65];

	if (!o)
		return 0;
	sha256_hex(key, strlen(key), name);
	if (unlinkat(b->meta, name, 0) && errno != ENOENT)
		return store_fail(e, errno, "delete an object");
	bucket_unlink_data(b, o->data);
	object_free(o);
	b->n--;
	memmove(b->objects + i, b->objects + i + 1, (b->n - i) * sizeof(struct object *));
	return 0;
}
