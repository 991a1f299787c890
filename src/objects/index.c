/* index.c - the objects of a bucket, in memory and in key order. */

#include <stdlib.h>
#include <string.h>

#include "objects/store.h"

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

struct object *bucket_remove(struct bucket *b, const char *key)
{
	size_t i = bucket_seek(b, key);
	struct object *o = bucket_find(b, key);

	if (!o)
		return NULL;
	b->n--;
	memmove(b->objects + i, b->objects + i + 1, (b->n - i) * sizeof(struct object *));
	return o;
}
