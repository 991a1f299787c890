#include "objects/upload.h"

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

static void upload_free(struct upload *u)
{
	list_del(&u->in);
	json_decref(u->head);
	fd_close(&u->dir);
	free(u->key);
	free(u->parts);
	free(u);
}

void uploads_free(struct bucket *b)
{
	list_each(u, &b->multiparts, struct upload, in)
	{
		upload_free(u);
	}
}

void uploads_note_data(const struct bucket *b, json_t *set)
{
	list_each(u, &b->multiparts, struct upload, in)
	{
		for (size_t i = 0; i < u->n; i++)
			json_object_set_new(set, u->parts[i].data, json_true());
	}
}

struct upload *upload_find(const struct bucket *b, const char *id)
{
	list_each(u, &b->multiparts, struct upload, in)
	{
		if (!strcmp(u->id, id))
			return u;
	}
	return NULL;
}

/* Listed by key, then by age. */
static void upload_add(struct bucket *b, struct upload *u)
{
	struct list *before = &b->multiparts;

	list_each(other, &b->multiparts, struct upload, in)
	{
		int order = strcmp(other->key, u->key);

		if (order > 0 || (!order && other->at_ms > u->at_ms)) {
			before = &other->in;
			break;
		}
	}
	list_add(before, &u->in);
}

static struct upload *upload_open(struct bucket *b, const char *id, struct err *e)
{
	struct upload *u = xcalloc(1, sizeof(*u));

	list_init(&u->in);
	snprintf(u->id, sizeof(u->id), "%s", id);
	u->dir = io_open_below(b->uploads, id, O_RDONLY | O_DIRECTORY, 0);
	if (u->dir >= 0)
		return u;
	store_fail(e, -u->dir, "open an upload");
	upload_free(u);
	return NULL;
}

struct upload *upload_begin(struct bucket *b, const char *key, json_t *head, enum s3_sum_kind kind,
			    bool whole, struct err *e)
{
	struct upload *u;
	json_t *json;
	char id[UUID_SIZE];
	int rc;

	rand_uuid(id);
	rc = io_mkdir(b->uploads, id, 0700);
	if (rc) {
		store_fail(e, -rc, "begin an upload");
		return NULL;
	}
	u = upload_open(b, id, e);
	if (!u)
		return NULL;
	u->key = xstrdup(key);
	u->head = json_incref(head);
	u->at_ms = clock_wall_ms();
	u->sum_kind = kind;
	u->sum_whole = whole;
	json = json_pack("{s:s, s:I, s:s, s:b, s:O}", "key", key, "at", (json_int_t)u->at_ms, "sum",
			 s3_sum_rows[kind].name, "whole", whole, "head", head);
	rc = store_write_json(u->dir, "upload", json, e);
	json_decref(json);
	if (rc) {
		upload_end(b, u);
		return NULL;
	}
	upload_add(b, u);
	return u;
}

static size_t upload_seek(const struct upload *u, unsigned number)
{
	size_t i = 0;

	while (i < u->n && u->parts[i].number < number)
		i++;
	return i;
}

const struct upload_part *upload_part(const struct upload *u, unsigned number)
{
	size_t i = upload_seek(u, number);

	return i < u->n && u->parts[i].number == number ? &u->parts[i] : NULL;
}

static void upload_insert(struct bucket *b, struct upload *u, const struct upload_part *p)
{
	size_t i = upload_seek(u, p->number);

	if (i < u->n && u->parts[i].number == p->number) {
		bucket_unlink_data(b, u->parts[i].data);
		u->parts[i] = *p;
		return;
	}
	u->parts = xrealloc(u->parts, (u->n + 1) * sizeof(*u->parts));
	memmove(u->parts + i + 1, u->parts + i, (u->n - i) * sizeof(*u->parts));
	u->parts[i] = *p;
	u->n++;
}

int upload_put_part(struct bucket *b, struct upload *u, const struct upload_part *p, struct err *e)
{
	json_t *json = json_pack("{s:i, s:I, s:I, s:s, s:s, s:s}", "number", (int)p->number, "size",
				 (json_int_t)p->size, "at", (json_int_t)p->at_ms, "md5", p->md5,
				 "sum", p->sum, "data", p->data);
	char name[16];
	int rc;

	snprintf(name, sizeof(name), "part-%05u", p->number);
	rc = store_write_json(u->dir, name, json, e);
	json_decref(json);
	if (!rc)
		upload_insert(b, u, p);
	return rc;
}

void upload_end(struct bucket *b, struct upload *u)
{
	int rc;

	/* First the JSON that makes it an upload: a crash leaves nothing that is half there. */
	unlinkat(u->dir, "upload", 0);
	for (size_t i = 0; i < u->n; i++)
		bucket_unlink_data(b, u->parts[i].data);
	rc = io_remove_tree(b->uploads, u->id);
	if (rc)
		log_warn("an upload's rest stays upload=%s errno=%d", u->id, -rc);
	upload_free(u);
}

static bool upload_load_part(struct bucket *b, struct upload *u, const char *name)
{
	const char *md5, *sum, *data;
	struct upload_part p = { 0 };
	json_int_t size, at;
	struct err e;
	json_t *json = store_read_json(u->dir, name, &e);
	int number;
	bool ok = json &&
		  !json_unpack(json, "{s:i, s:I, s:I, s:s, s:s, s:s}", "number", &number, "size",
			       &size, "at", &at, "md5", &md5, "sum", &sum, "data", &data);

	if (ok && number > 0 && number <= S3_PARTS_MAX && uuid_valid(data) && size >= 0) {
		p.number = (unsigned)number;
		p.size = (uint64_t)size;
		p.at_ms = at;
		snprintf(p.md5, sizeof(p.md5), "%s", md5);
		snprintf(p.sum, sizeof(p.sum), "%s", sum);
		memcpy(p.data, data, UUID_SIZE);
		upload_insert(b, u, &p);
	} else {
		b->damaged = true;
	}
	json_decref(json);
	return ok;
}

/* False: it is none (any more). */
static bool upload_load(struct bucket *b, const char *id)
{
	const char *key, *sum;
	json_int_t at;
	json_t *json, *head;
	struct upload *u;
	struct dirent *entry;
	struct err e;
	DIR *stream;
	int whole, fd;

	u = uuid_valid(id) ? upload_open(b, id, &e) : NULL;
	if (!u)
		return false;
	json = store_read_json(u->dir, "upload", &e);
	if (!json || json_unpack(json, "{s:s, s:I, s:s, s:b, s:o}", "key", &key, "at", &at, "sum",
				 &sum, "whole", &whole, "head", &head)) {
		json_decref(json);
		upload_free(u);
		return false;
	}
	u->key = xstrdup(key);
	u->head = json_incref(head);
	u->at_ms = at;
	u->sum_kind = s3_sum_by_name(sum);
	u->sum_whole = whole;
	json_decref(json);
	fd = io_open_below(u->dir, ".", O_RDONLY | O_DIRECTORY, 0);
	stream = fd < 0 ? NULL : fdopendir(fd);
	while (stream && (entry = readdir(stream)))
		if (!strncmp(entry->d_name, "part-", 5) && !upload_load_part(b, u, entry->d_name))
			log_err("a part is unreadable upload=%s file=%s", id, entry->d_name);
	if (stream)
		closedir(stream);
	upload_add(b, u);
	return true;
}

int uploads_load(struct bucket *b, struct err *e)
{
	int fd = io_open_below(b->uploads, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!stream) {
		fd_close(&fd);
		return store_fail(e, errno, "read the uploads");
	}
	while ((entry = readdir(stream))) {
		if (entry->d_name[0] == '.')
			continue;
		if (!upload_load(b, entry->d_name) && io_remove_tree(b->uploads, entry->d_name))
			log_warn("an upload's rest stays upload=%s", entry->d_name);
	}
	closedir(stream);
	return 0;
}
