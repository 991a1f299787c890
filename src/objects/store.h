/* store.h - buckets and objects on disk, with their index in memory.
 *
 *     objects/<bucket>/bucket            JSON: when it was made
 *     objects/<bucket>/meta/<sha256>     JSON of one object: key, data file, size, etag ...
 *     objects/<bucket>/data/<uuid>       bytes of an object, a part, or an unfinished upload
 *     objects/<bucket>/uploads/<id>/     a multipart upload: "upload" and "part-00001" (JSON)
 *
 * A key is never a path: its file is named by its hash.  The rename of the JSON is what makes an
 * object be there; data files that no JSON names are deleted at start.  Keys, sizes and ETags are
 * held in key order in memory, so that a listing reads no file. */
#ifndef OBJECTS_STORE_H
#define OBJECTS_STORE_H

#include <jansson.h>

#include "base/err.h"
#include "base/list.h"
#include "base/rand.h"
#include "wire/s3_body.h"

struct object {
	char *key;  /* owned */
	char *etag; /* owned; without quotes */
	uint64_t size;
	int64_t at_ms;
	char data[UUID_SIZE];
};

struct bucket {
	struct list in;
	char name[64];
	int64_t at_ms;
	int dir, meta, data, uploads; /* owned */
	struct object **objects;      /* owned, in key order */
	size_t n, room;
	struct list multiparts; /* struct upload */
	unsigned busy;          /* drafts that are being written: it cannot be dropped */
	bool damaged;           /* a JSON is unreadable: no data file is cleared */
};

struct store {
	int dir;             /* owned: data_dir/objects */
	struct list buckets; /* by name */
};

/* Read all of it and clear what a killed upload left. Takes the directory over. */
int store_open(struct store *s, int dir, struct err *e) must_check;
void store_close(struct store *s);

struct bucket *store_bucket(struct store *s, const char *name); /* NULL: none */
struct bucket *store_make(struct store *s, const char *name, struct err *e);
/* ERR_CONFLICT: not empty (uploads go with it). */
int store_drop(struct store *s, struct bucket *b, struct err *e) must_check;

struct object *bucket_find(const struct bucket *b, const char *key); /* NULL: none */
/* The first object whose key is not below @key; b->n if there is none. */
size_t bucket_seek(const struct bucket *b, const char *key);

/* The JSON of an object, or of a file of an upload. New reference; NULL: *e. */
json_t *bucket_meta(const struct bucket *b, const struct object *o, struct err *e);
json_t *store_read_json(int dir, const char *name, struct err *e);
/* io_replace with this JSON; ERR_CAPACITY: no space left. */
int store_write_json(int dir, const char *name, json_t *json, struct err *e) must_check;

/* Make the object be there, now that its data is on disk: @meta has key, data, size, etag, at.
 * What it replaces goes. */
int bucket_put(struct bucket *b, json_t *meta, struct err *e) must_check;
int bucket_delete(struct bucket *b, const char *key, struct err *e) must_check; /* missing: 0 */
int bucket_open_data(const struct bucket *b, const char *data); /* read-only, or -errno */
void bucket_unlink_data(const struct bucket *b, const char *data);

/* Reading at start: an object of its JSON (NULL: none), into its place, what was there given back.
 */
struct object *object_of(json_t *meta);
struct object *bucket_insert(struct bucket *b, struct object *o);
void object_free(struct object *o);

/* ERR_CAPACITY for a full disk, else ERR_INTERNAL. */
int store_fail(struct err *e, int errnum, const char *what);

#endif
