#include "objects/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "objects/load.h"
#include "objects/record.h"

void upload_free(struct upload *u)
{
	if (!u)
		return;
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
void upload_add(struct bucket *b, struct upload *u)
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

struct upload *upload_new(const char *key, json_t *head, enum s3_sum_kind kind, bool whole)
{
	struct upload *u = xcalloc(1, sizeof(*u));

	list_init(&u->in);
	u->dir = -1;
	rand_uuid(u->id);
	u->key = xstrdup(key);
	u->head = json_incref(head);
	u->at_ms = clock_wall_ms();
	u->sum_kind = kind;
	u->sum_whole = whole;
	return u;
}

static char *upload_dump(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

	assert(text);
	json_decref(json);
	return text;
}

char *upload_text(const struct upload *u)
{
	return upload_dump(json_pack("{s:s, s:I, s:s, s:b, s:O}", "key", u->key, "at",
				     (json_int_t)u->at_ms, "sum", s3_sum_rows[u->sum_kind].name,
				     "whole", u->sum_whole, "head", u->head));
}

char *upload_part_text(const struct upload_part *p)
{
	return upload_dump(json_pack("{s:i, s:I, s:I, s:s, s:s, s:s}", "number", (int)p->number,
				     "size", (json_int_t)p->size, "at", (json_int_t)p->at_ms, "md5",
				     p->md5, "sum", p->sum, "data", p->data));
}

int upload_make(const struct bucket *b, struct upload *u, const char *text)
{
	int rc = io_mkdir(b->uploads, u->id, 0700);
	bool unsure;

	if (rc)
		return rc;
	u->dir = io_open_below(b->uploads, u->id, O_RDONLY | O_DIRECTORY, 0);
	rc = u->dir < 0 ? u->dir : record_put(u->dir, "upload", text, &unsure);
	if (!rc && fsync(b->uploads))
		rc = -errno;
	if (rc)
		(void)!io_remove_tree(b->uploads, u->id);
	return rc;
}

int upload_put_part(const struct upload *u, unsigned number, const char *text, bool *unsure)
{
	char name[16];

	snprintf(name, sizeof(name), "part-%05u", number);
	return record_put(u->dir, name, text, unsure);
}

int upload_erase(const struct bucket *b, const struct upload *u)
{
	/* The record that makes it an upload goes first: a crash leaves nothing that is half there.
	 */
	struct record_gone gone = { .name = "upload" };
	bool unsure;
	int rc;

	record_remove(u->dir, &gone, 1, &unsure);
	if (gone.rc)
		return gone.rc;
	rc = io_remove_tree(b->uploads, u->id);
	if (rc) /* it is deleted at the next start */
		log_warn("what is left of an upload cannot be deleted upload=%s errno=%d", u->id,
			 -rc);
	return 0;
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

void upload_insert(struct upload *u, const struct upload_part *p, char old[UUID_SIZE])
{
	size_t i = upload_seek(u, p->number);

	old[0] = '\0';
	if (i < u->n && u->parts[i].number == p->number) {
		memcpy(old, u->parts[i].data, UUID_SIZE);
		u->parts[i] = *p;
		return;
	}
	u->parts = xrealloc(u->parts, (u->n + 1) * sizeof(*u->parts));
	memmove(u->parts + i + 1, u->parts + i, (u->n - i) * sizeof(*u->parts));
	u->parts[i] = *p;
	u->n++;
}

struct upload_load {
	struct bucket *bucket;
	struct upload *upload;
};

static void upload_load_part(void *arg, const char *name)
{
	struct upload_load *l = arg;
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
static int upload_read(struct bucket *b, const char *id, struct upload **to)
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

static void upload_load(void *arg, const char *id)
{
	struct upload_load l = { .bucket = arg };
	int rc = upload_read(l.bucket, id, &l.upload);
	struct err e;

	if (rc == -ENOENT) {
		if (io_remove_tree(l.bucket->uploads, id))
			log_warn("what is left of an upload cannot be deleted upload=%s", id);
		return;
	}
	if (rc || load_scan(l.upload->dir, &l, upload_load_part, &e)) {
		log_err("an upload cannot be read upload=%s errno=%d", id, -rc);
		l.bucket->damaged = true;
	}
	if (!rc)
		upload_add(l.bucket, l.upload);
}

int uploads_load(struct bucket *b, struct err *e)
{
	return load_scan(b->uploads, b, upload_load, e);
}
