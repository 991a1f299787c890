#include "objects/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "objects/record.h"
#include "objects/upload.h"

#define STORE_DIR_FLAGS (O_RDONLY | O_DIRECTORY)

/* How much of each kind is under way at a time. */
static const unsigned store_lanes[STORE_LANES] = {
	[STORE_READS] = 4,
	[STORE_SMALL] = 2,
	[STORE_BULK] = 3,
	[STORE_CHANGES] = 1,
};

int store_fail(struct err *e, int errnum, const char *what)
{
	bool full = errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG;

	return err_set(e, full ? ERR_CAPACITY : ERR_INTERNAL, "%s: %s", what, strerror(errnum));
}

unsigned store_threads(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < STORE_LANES; i++)
		n += store_lanes[i];
	return n;
}

void store_open(struct store *s, uv_loop_t *loop, int dir)
{
	s->dir = dir;
	list_init(&s->buckets);
	for (size_t i = 0; i < STORE_LANES; i++)
		disk_lane_init(&s->lanes[i], loop, store_lanes[i]);
}

void store_close(struct store *s)
{
	list_each(b, &s->buckets, struct bucket, in)
	{
		store_take_out(b);
		bucket_unref(b);
	}
	fd_close(&s->dir);
}

bool store_idle(const struct store *s)
{
	for (size_t i = 0; i < STORE_LANES; i++)
		if (!disk_lane_idle(&s->lanes[i]))
			return false;
	return true;
}

struct bucket *store_bucket(const struct store *s, const char *name)
{
	list_each(b, &s->buckets, struct bucket, in)
	{
		if (!strcmp(b->name, name))
			return b;
	}
	return NULL;
}

size_t store_count(const struct store *s, const char *owner)
{
	size_t n = 0;

	list_each(b, &s->buckets, struct bucket, in) n += !strcmp(b->owner, owner);
	return n;
}

void store_add(struct store *s, struct bucket *b)
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
	b->dropped = false;
}

void store_take_out(struct bucket *b)
{
	list_del(&b->in);
	b->dropped = true;
}

struct bucket *bucket_ref(struct bucket *b)
{
	b->refs++;
	return b;
}

void bucket_unref(struct bucket *b)
{
	if (!b || --b->refs)
		return;
	uploads_free(&b->multiparts);
	for (size_t i = 0; i < b->n; i++)
		object_free(b->objects[i]);
	free(b->objects);
	fd_close(&b->uploads);
	fd_close(&b->data);
	fd_close(&b->meta);
	fd_close(&b->dir);
	free(b);
}

bool bucket_may_drop(const struct bucket *b)
{
	return !b->n && !b->busy;
}

static int bucket_open_dir(int parent, const char *name, int *fd, struct err *e)
{
	int rc = io_mkdir(parent, name, 0700);

	*fd = rc < 0 ? rc : io_open_below(parent, name, STORE_DIR_FLAGS, 0);
	return *fd < 0 ? store_fail(e, -*fd, name) : 0;
}

struct bucket *bucket_open(int dir, const char *name, struct err *e)
{
	struct bucket *b = xcalloc(1, sizeof(*b));

	list_init(&b->in);
	list_init(&b->multiparts);
	b->refs = 1;
	b->dir = b->meta = b->data = b->uploads = -1;
	snprintf(b->name, sizeof(b->name), "%s", name);
	if (bucket_open_dir(dir, name, &b->dir, e) ||
	    bucket_open_dir(b->dir, "meta", &b->meta, e) ||
	    bucket_open_dir(b->dir, "data", &b->data, e) ||
	    bucket_open_dir(b->dir, "uploads", &b->uploads, e)) {
		bucket_unref(b);
		return NULL;
	}
	return b;
}

struct bucket *bucket_make(int dir, const char *name, const char *owner, int64_t at_ms,
			   struct err *e)
{
	int rc = io_remove_tree(dir, name); /* what was left of an older one */
	struct bucket *b = NULL;
	bool unsure;
	char text[96];

	if (rc)
		store_fail(e, -rc, "make a bucket");
	else
		b = bucket_open(dir, name, e);
	if (b) {
		b->at_ms = at_ms;
		snprintf(b->owner, sizeof(b->owner), "%s", owner);
		/* An account is digits: nothing has to be escaped. */
		snprintf(text, sizeof(text), "{\"at\":%lld,\"account\":\"%s\"}", (long long)at_ms,
			 owner);
		rc = record_put(b->dir, "bucket", text, &unsure);
		if (!rc && fsync(dir))
			rc = -errno;
		if (!rc)
			return b;
		store_fail(e, -rc, "make a bucket");
		bucket_unref(b);
	}
	(void)!io_remove_tree(dir, name);
	return NULL;
}

int bucket_erase(int dir, const struct bucket *b, struct err *e)
{
	struct record_gone gone = { .name = "bucket" };
	bool unsure;
	int rc;

	record_remove(b->dir, &gone, 1, &unsure);
	if (gone.rc)
		return store_fail(e, -gone.rc, "delete a bucket");
	rc = io_remove_tree(dir, b->name);
	if (rc) /* it is deleted at the next start */
		log_warn("what is left of a bucket cannot be deleted bucket=%s errno=%d", b->name,
			 -rc);
	return 0;
}
