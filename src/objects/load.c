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

int load_scan(int dir, void *arg, void (*each)(void *arg, const char *name), struct err *e)
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
	uploads_note_data(b, s.known);
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
	json_decref(json);
	if (load_scan(b->meta, b, load_object, &e) || uploads_load(b, &e) || load_sweep(b, &e))
		log_err("a bucket cannot be read completely bucket=%s error=\"%s\"", name, e.text);
	store_add(s, b);
}

int load_store(struct store *s, struct err *e)
{
	return load_scan(s->dir, s, load_bucket, e);
}
