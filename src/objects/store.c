#include "objects/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "objects/upload.h"

#define STORE_JSON_MOST (64 * KIB)
#define STORE_DIR_FLAGS (O_RDONLY | O_DIRECTORY)

int store_fail(struct err *e, int errnum, const char *what)
{
	bool full = errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG;

	return err_set(e, full ? ERR_CAPACITY : ERR_INTERNAL, "%s: %s", what, strerror(errnum));
}

json_t *store_read_json(int dir, const char *name, struct err *e)
{
	autoclose int fd = io_open_below(dir, name, O_RDONLY, 0);
	autobuf struct buf b = { 0 };
	json_t *json;
	int rc = fd < 0 ? fd : io_read_all(fd, &b, STORE_JSON_MOST);

	if (rc < 0) {
		store_fail(e, -rc, name);
		return NULL;
	}
	json = json_loadb((char *)b.data, b.size, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(json)) {
		json_decref(json);
		err_set(e, ERR_INTERNAL, "'%s' is no JSON object", name);
		return NULL;
	}
	return json;
}

int store_write_json(int dir, const char *name, json_t *json, struct err *e)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	int rc;

	assert(text);
	rc = io_replace(dir, name, text, strlen(text), 0600, e);
	free(text);
	return rc;
}

static void bucket_free(struct bucket *b)
{
	list_del(&b->in);
	uploads_free(b);
	for (size_t i = 0; i < b->n; i++)
		object_free(b->objects[i]);
	free(b->objects);
	fd_close(&b->uploads);
	fd_close(&b->data);
	fd_close(&b->meta);
	fd_close(&b->dir);
	free(b);
}

/* Each entry but the dotted ones is given to @each; the stream has a descriptor of its own. */
static int store_scan(int dir, void *arg, void (*each)(void *arg, const char *name), struct err *e)
{
	int fd = io_open_below(dir, ".", STORE_DIR_FLAGS, 0);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!stream) {
		fd_close(&fd);
		return store_fail(e, errno, "read a directory");
	}
	while ((entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			each(arg, entry->d_name);
	closedir(stream);
	return 0;
}

static void bucket_load_meta(void *arg, const char *name)
{
	struct bucket *b = arg;
	struct object *o;
	json_t *json;
	struct err e;

	if (strlen(name) != 64) { /* of a replacement that was cut short */
		unlinkat(b->meta, name, 0);
		return;
	}
	json = store_read_json(b->meta, name, &e);
	o = json ? object_of(json) : NULL;
	if (o)
		object_free(bucket_insert(b, o));
	else
		log_err("an object is unreadable bucket=%s file=%s", b->name, name);
	b->damaged = b->damaged || !o;
	json_decref(json);
}

struct bucket_sweep {
	struct bucket *bucket;
	json_t *known; /* set of data files */
	unsigned swept;
};

static void bucket_sweep_data(void *arg, const char *name)
{
	struct bucket_sweep *s = arg;

	if (json_object_get(s->known, name))
		return;
	s->swept++;
	unlinkat(s->bucket->data, name, 0);
}

/* An unreadable JSON may name any of the files: then nothing is deleted. */
static int bucket_sweep(struct bucket *b, struct err *e)
{
	struct bucket_sweep s = { b, NULL, 0 };
	int rc;

	if (b->damaged)
		return 0;
	s.known = json_object();
	for (size_t i = 0; i < b->n; i++)
		json_object_set_new(s.known, b->objects[i]->data, json_true());
	uploads_note_data(b, s.known);
	rc = store_scan(b->data, &s, bucket_sweep_data, e);
	if (s.swept)
		log_info("unfinished uploads are cleared bucket=%s files=%u", b->name, s.swept);
	json_decref(s.known);
	return rc;
}

static int bucket_open_dir(int parent, const char *name, int *fd, struct err *e)
{
	int rc = io_mkdir(parent, name, 0700);

	*fd = rc < 0 ? rc : io_open_below(parent, name, STORE_DIR_FLAGS, 0);
	return *fd < 0 ? store_fail(e, -*fd, name) : 0;
}

static struct bucket *bucket_open(struct store *s, const char *name, struct err *e)
{
	struct bucket *b = xcalloc(1, sizeof(*b));

	list_init(&b->in);
	list_init(&b->multiparts);
	b->dir = b->meta = b->data = b->uploads = -1;
	snprintf(b->name, sizeof(b->name), "%s", name);
	if (bucket_open_dir(s->dir, name, &b->dir, e) ||
	    bucket_open_dir(b->dir, "meta", &b->meta, e) ||
	    bucket_open_dir(b->dir, "data", &b->data, e) ||
	    bucket_open_dir(b->dir, "uploads", &b->uploads, e)) {
		bucket_free(b);
		return NULL;
	}
	return b;
}

static void store_add(struct store *s, struct bucket *b)
{
	struct list *before = &s->buckets;

	list_each(other, &s->buckets, struct bucket, in)
	{
		if (strcmp(other->name, b->name) > 0) {
			before = &other->in;
			break;
		}
	}
	list_add(before, &b->in);
}

static void store_load(void *arg, const char *name)
{
	struct store *s = arg;
	struct bucket *b;
	json_t *json;
	struct err e;

	if (!s3_bucket_valid(name))
		return;
	b = bucket_open(s, name, &e);
	if (!b) {
		log_err("a bucket is unreadable bucket=%s error=\"%s\"", name, e.text);
		return;
	}
	json = store_read_json(b->dir, "bucket", &e);
	b->at_ms = json_integer_value(json_object_get(json, "at"));
	if (!json && faccessat(b->dir, "bucket", F_OK, 0) && errno == ENOENT) {
		/* Killed while it was made, or while it was dropped. */
		bucket_free(b);
		if (io_remove_tree(s->dir, name))
			log_warn("a bucket's rest stays bucket=%s", name);
		return;
	}
	json_decref(json);
	if (store_scan(b->meta, b, bucket_load_meta, &e) || uploads_load(b, &e) ||
	    bucket_sweep(b, &e))
		log_err("a bucket is not read whole bucket=%s error=\"%s\"", name, e.text);
	store_add(s, b);
}

int store_open(struct store *s, int dir, struct err *e)
{
	s->dir = dir;
	list_init(&s->buckets);
	return store_scan(dir, s, store_load, e);
}

void store_close(struct store *s)
{
	list_each(b, &s->buckets, struct bucket, in)
	{
		bucket_free(b);
	}
	fd_close(&s->dir);
}

struct bucket *store_bucket(struct store *s, const char *name)
{
	list_each(b, &s->buckets, struct bucket, in)
	{
		if (!strcmp(b->name, name))
			return b;
	}
	return NULL;
}

struct bucket *store_make(struct store *s, const char *name, struct err *e)
{
	struct bucket *b = bucket_open(s, name, e);
	json_t *json;
	int rc;

	if (!b)
		return NULL;
	b->at_ms = clock_wall_ms();
	json = json_pack("{s:I}", "at", (json_int_t)b->at_ms);
	rc = store_write_json(b->dir, "bucket", json, e);
	json_decref(json);
	if (rc) {
		bucket_free(b);
		(void)!io_remove_tree(s->dir, name);
		return NULL;
	}
	store_add(s, b);
	return b;
}

int store_drop(struct store *s, struct bucket *b, struct err *e)
{
	char name[64];
	int rc;

	if (b->n || b->busy)
		return err_set(e, ERR_CONFLICT, "The bucket you tried to delete is not empty.");
	memcpy(name, b->name, sizeof(name));
	if (unlinkat(b->dir, "bucket", 0))
		return store_fail(e, errno, "delete a bucket");
	bucket_free(b);
	rc = io_remove_tree(s->dir, name);
	if (rc) /* cleared at the next start */
		log_warn("a bucket's rest stays bucket=%s errno=%d", name, -rc);
	return 0;
}
