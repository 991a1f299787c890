#include "objects/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "objects/record.h"
#include "objects/upload.h"

/* Each entry but the dotted ones is given to @each; the stream has a descriptor of its own. */
static int load_scan(int dir, void *arg, void (*each)(void *arg, const char *name), struct err *e)
{
	int fd = io_open_below(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!stream) {
		int errnum = fd < 0 ? -fd : errno;

		fd_close(&fd);
		return store_fail(e, errnum, "read a directory");
	}
	while ((entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			each(arg, entry->d_name);
	closedir(stream);
	return 0;
}

static void load_object(void *arg, const char *name)
{
	struct bucket *b = arg;
	struct object *o;
	json_t *json = NULL;

	if (strlen(name) != 64) { /* a change was cut short */
		unlinkat(b->meta, name, 0);
		return;
	}
	o = record_read(b->meta, name, &json) ? NULL : object_of(json);
	if (o)
		object_free(bucket_insert(b, o));
	else
		log_err("the record of an object cannot be read bucket=%s file=%s", b->name, name);
	b->damaged = b->damaged || !o;
	json_decref(json);
}

struct load_parts {
	struct bucket *bucket;
	struct upload *upload;
};

static void load_part(void *arg, const char *name)
{
	struct load_parts *l = arg;
	const char *md5, *sum, *data;
	struct upload_part p = { 0 };
	json_int_t size, at;
	json_t *json = NULL;
	char old[UUID_SIZE];
	int number;
	bool ok;

	if (strncmp(name, "part-", 5) != 0)
		return;
	ok = !record_read(l->upload->dir, name, &json) &&
	     !json_unpack(json, "{s:i, s:I, s:I, s:s, s:s, s:s}", "number", &number, "size", &size,
			  "at", &at, "md5", &md5, "sum", &sum, "data", &data);
	if (ok && number > 0 && number <= S3_PARTS_MAX && uuid_valid(data) && size >= 0) {
		p.number = (unsigned)number;
		p.size = (uint64_t)size;
		p.at_ms = at;
		snprintf(p.md5, sizeof(p.md5), "%s", md5);
		snprintf(p.sum, sizeof(p.sum), "%s", sum);
		memcpy(p.data, data, UUID_SIZE);
		upload_insert(l->upload, &p, old);
	} else {
		l->bucket->damaged = true;
		log_err("the record of a part cannot be read upload=%s file=%s", l->upload->id,
			name);
	}
	json_decref(json);
}

/* 0; -ENOENT: it is none (any more); another -errno: it may be one. */
static int load_read_upload(struct bucket *b, const char *id, struct upload **to)
{
	const char *key, *sum;
	json_t *json = NULL, *head;
	json_int_t at;
	int whole, rc;
	autoclose int dir = -1;

	if (!uuid_valid(id))
		return -ENOENT;
	dir = io_open_below(b->uploads, id, O_RDONLY | O_DIRECTORY, 0);
	rc = dir < 0 ? dir : record_read(dir, "upload", &json);
	if (!rc && json_unpack(json, "{s:s, s:I, s:s, s:b, s:o}", "key", &key, "at", &at, "sum",
			       &sum, "whole", &whole, "head", &head))
		rc = -EBADMSG;
	if (!rc) {
		*to = upload_new(key, head, s3_sum_by_name(sum), whole);
		memcpy((*to)->id, id, UUID_SIZE);
		(*to)->at_ms = at;
		(*to)->dir = fd_steal(&dir);
	}
	json_decref(json);
	return rc;
}

static void load_upload(void *arg, const char *id)
{
	struct load_parts l = { .bucket = arg };
	int rc = load_read_upload(l.bucket, id, &l.upload);
	struct err e;

	if (rc == -ENOENT) {
		if (io_remove_tree(l.bucket->uploads, id))
			log_warn("what is left of an upload cannot be deleted upload=%s", id);
		return;
	}
	if (rc || load_scan(l.upload->dir, &l, load_part, &e)) {
		log_err("an upload cannot be read upload=%s errno=%d", id, -rc);
		l.bucket->damaged = true;
	}
	if (!rc)
		upload_add(&l.bucket->multiparts, l.upload);
}

struct load_sweep {
	struct bucket *bucket;
	json_t *known; /* set of data files */
	unsigned swept;
};

static void load_sweep_data(void *arg, const char *name)
{
	struct load_sweep *s = arg;

	if (json_object_get(s->known, name))
		return;
	s->swept++;
	unlinkat(s->bucket->data, name, 0);
}

/* An unreadable JSON may name any of the files: then nothing is deleted. */
static int load_sweep(struct bucket *b, struct err *e)
{
	struct load_sweep s = { b, NULL, 0 };
	int rc;

	if (b->damaged)
		return 0;
	s.known = json_object();
	for (size_t i = 0; i < b->n; i++)
		json_object_set_new(s.known, b->objects[i]->data, json_true());
	uploads_note_data(&b->multiparts, s.known);
	rc = load_scan(b->data, &s, load_sweep_data, e);
	if (s.swept)
		log_info("data files of unfinished uploads were deleted bucket=%s files=%u",
			 b->name, s.swept);
	json_decref(s.known);
	return rc;
}

static void load_bucket(void *arg, const char *name)
{
	struct store *s = arg;
	const char *owner;
	struct bucket *b;
	json_t *json = NULL;
	struct err e;
	int rc;

	if (!s3_bucket_valid(name))
		return;
	b = bucket_open(s->dir, name, &e);
	if (!b) {
		log_err("a bucket cannot be read bucket=%s error=\"%s\"", name, e.text);
		return;
	}
	rc = record_read(b->dir, "bucket", &json);
	if (rc == -ENOENT) { /* a crash came while it was made or dropped */
		bucket_unref(b);
		if (io_remove_tree(s->dir, name))
			log_warn("what is left of a bucket cannot be deleted bucket=%s", name);
		return;
	}
	b->at_ms = json_integer_value(json_object_get(json, "at"));
	owner = json_string_value(json_object_get(json, "account"));
	snprintf(b->owner, sizeof(b->owner), "%s", owner ? owner : s->owner);
	json_decref(json);
	if (load_scan(b->meta, b, load_object, &e) || load_scan(b->uploads, b, load_upload, &e) ||
	    load_sweep(b, &e))
		log_err("a bucket cannot be read completely bucket=%s error=\"%s\"", name, e.text);
	store_add(s, b);
}

int load_store(struct store *s, struct err *e)
{
	return load_scan(s->dir, s, load_bucket, e);
}
