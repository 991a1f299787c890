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

void uploads_free(struct list *uploads)
{
	list_each(u, uploads, struct upload, in)
	{
		upload_free(u);
	}
}

void uploads_note_data(const struct list *uploads, json_t *set)
{
	list_each(u, uploads, struct upload, in)
	{
		for (size_t i = 0; i < u->n; i++)
			json_object_set_new(set, u->parts[i].data, json_true());
	}
}

struct upload *upload_find(const struct list *uploads, const char *id)
{
	list_each(u, uploads, struct upload, in)
	{
		if (!strcmp(u->id, id))
			return u;
	}
	return NULL;
}

void upload_add(struct list *uploads, struct upload *u)
{
	struct list *before = uploads;

	list_each(other, uploads, struct upload, in)
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

int upload_make(int dir, struct upload *u, const char *text)
{
	int rc = io_mkdir(dir, u->id, 0700);
	bool unsure;

	if (rc)
		return rc;
	u->dir = io_open_below(dir, u->id, O_RDONLY | O_DIRECTORY, 0);
	rc = u->dir < 0 ? u->dir : record_put(u->dir, "upload", text, &unsure);
	if (!rc && fsync(dir))
		rc = -errno;
	if (rc)
		(void)!io_remove_tree(dir, u->id);
	return rc;
}

int upload_put_part(const struct upload *u, unsigned number, const char *text, bool *unsure)
{
	char name[16];

	snprintf(name, sizeof(name), "part-%05u", number);
	return record_put(u->dir, name, text, unsure);
}

int upload_erase(int dir, const struct upload *u)
{
	/* The record that makes it an upload goes first: a crash leaves nothing that is half there.
	 */
	struct record_gone gone = { .name = "upload" };
	bool unsure;
	int rc;

	record_remove(u->dir, &gone, 1, &unsure);
	if (gone.rc)
		return gone.rc;
	rc = io_remove_tree(dir, u->id);
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
