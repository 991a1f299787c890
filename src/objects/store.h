/* store.h - buckets and objects on disk, with their index in memory.
 *
 *     objects/<bucket>/bucket            JSON: when it was made, and by which account
 *     objects/<bucket>/meta/<sha256>     JSON of one object: key, data file, size, etag ...
 *     objects/<bucket>/data/<uuid>       bytes of an object, a part, or an unfinished upload
 *     objects/<bucket>/uploads/<id>/     a multipart upload: "upload" and "part-00001" (JSON)
 *
 * A key is never a path: its file is named by its hash.  An object exists
 * once its JSON has been renamed into place; data files that no JSON names are deleted at start.
 * Keys, sizes and ETags are held in key order in memory, so that a listing reads no file.
 *
 * The index belongs to the loop, which never waits for a disk.  Work on the disk goes through four
 * lanes (net/disk_task.h): reads; small, for objects whose bytes fit in one write; bulk, which
 * writes and copies large data files; and changes, which is a lane of one, so that records and
 * index change in the same order.  A function below that says "blocking" is called off the loop or
 * at start: of a bucket it uses nothing but the descriptors and the name, which stay until the last
 * bucket_unref. */
#ifndef OBJECTS_STORE_H
#define OBJECTS_STORE_H

#include <jansson.h>

#include "base/err.h"
#include "base/rand.h"
#include "net/disk_task.h"
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
	char name[64], owner[16]; /* the account that it belongs to */
	int64_t at_ms;
	int dir, meta, data, uploads; /* owned */
	struct object **objects;      /* owned, in key order */
	size_t n, room;
	struct list multiparts; /* struct upload */
	unsigned refs;          /* the store's, and one of each piece of work */
	unsigned busy;          /* drafts that are being written: it cannot be dropped */
	bool dropped;           /* it is in no store any more */
	bool damaged;           /* a JSON cannot be read: no data file is swept */
};

enum store_lane { STORE_READS, STORE_SMALL, STORE_BULK, STORE_CHANGES, STORE_LANES };

struct store {
	int dir;             /* owned: data_dir/objects */
	char owner[16];      /* of buckets that are older than accounts */
	struct list buckets; /* by name */
	struct disk_lane lanes[STORE_LANES];
};

unsigned store_threads(void); /* what the lanes need together, for disk_pool_size */
/* Takes the directory over.  The store is empty until load_store (load.h). */
void store_open(struct store *s, uv_loop_t *loop, int dir);
void store_close(struct store *s);
bool store_idle(const struct store *s); /* no work on the disk waits or runs */

struct bucket *store_bucket(const struct store *s, const char *name); /* NULL: none */
size_t store_count(const struct store *s, const char *owner);         /* of an account */
void store_add(struct store *s, struct bucket *b);
/* The bucket is not found any more, and the caller gets the store's reference. */
void store_take_out(struct bucket *b);

/* Blocking: open the directories of a bucket and create missing ones; bucket_make begins a new
 * bucket, with its record. */
struct bucket *bucket_open(int dir, const char *name, struct err *e);
struct bucket *bucket_make(int dir, const char *name, const char *owner, int64_t at_ms,
			   struct err *e);
/* Blocking.  After a failure the bucket is whole. */
int bucket_erase(int dir, const struct bucket *b, struct err *e) must_check;

struct bucket *bucket_ref(struct bucket *b);
void bucket_unref(struct bucket *b);
/* It has no object and no draft (its uploads go with it). */
bool bucket_may_drop(const struct bucket *b);

/* The index. */
struct object *object_of(json_t *meta); /* NULL: it is not the JSON of an object */
void object_free(struct object *o);
struct object *bucket_find(const struct bucket *b, const char *key); /* NULL: none */
/* The first object whose key is not below @key; b->n if there is none. */
size_t bucket_seek(const struct bucket *b, const char *key);
/* Put it in its place, and give back the object that had this key; NULL: there was none. */
struct object *bucket_insert(struct bucket *b, struct object *o);
struct object *bucket_remove(struct bucket *b, const char *key); /* gives it back; NULL: none */

/* ERR_CAPACITY for a full disk, else ERR_INTERNAL. */
int store_fail(struct err *e, int errnum, const char *what);

#endif
