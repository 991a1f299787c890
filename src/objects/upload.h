/* upload.h - multipart uploads: known parts, on disk and in memory.
 *
 * A bucket holds its uploads in a list, and their records in a directory (store.h).  As there,
 * memory belongs to the loop, and a blocking function uses nothing of an upload but its descriptor
 * and its id. */
#ifndef OBJECTS_UPLOAD_H
#define OBJECTS_UPLOAD_H

#include <jansson.h>

#include "base/err.h"
#include "base/list.h"
#include "base/rand.h"
#include "wire/s3_body.h"

struct upload_part {
	unsigned number;
	uint64_t size;
	int64_t at_ms;
	char md5[33], sum[S3_SUM_TEXT]; /* sum: base64, "" without */
	char data[UUID_SIZE];
};

struct upload {
	struct list in;
	char id[UUID_SIZE];
	char *key;    /* owned */
	json_t *head; /* owned: what the object will say of itself */
	int64_t at_ms;
	enum s3_sum_kind sum_kind;
	bool sum_whole; /* the checksum of the object is of all its bytes, not of the parts' sums */
	int dir;        /* owned */
	struct upload_part *parts; /* owned, by number */
	size_t n;
	unsigned busy; /* requests that work on it: nobody may complete or abort it */
	bool ending;   /* it is being completed or aborted, and takes no more parts */
};

void uploads_free(struct list *uploads);                         /* frees memory only */
void uploads_note_data(const struct list *uploads, json_t *set); /* data files that are in use */

/* @head: key, type, meta ...; borrowed.  The upload is in no list yet. */
struct upload *upload_new(const char *key, json_t *head, enum s3_sum_kind kind, bool whole);
void upload_free(struct upload *u);
void upload_add(struct list *uploads, struct upload *u);                /* by key, then by age */
struct upload *upload_find(const struct list *uploads, const char *id); /* NULL: none */
const struct upload_part *upload_part(const struct upload *u, unsigned number);
/* The name of the data file that this part replaces goes to @old, "" if there is none. */
void upload_insert(struct upload *u, const struct upload_part *p, char old[UUID_SIZE]);

/* The records that the blocking functions write, made on the loop; free() them. */
char *upload_text(const struct upload *u);
char *upload_part_text(const struct upload_part *p);

/* Below @dir, where the uploads of the bucket are.  -errno */
int upload_make(int dir, struct upload *u, const char *text) must_check;
int upload_put_part(const struct upload *u, unsigned number, const char *text,
		    bool *unsure) must_check; /* -errno */
/* Deletes the records of the upload; the data files are left to the caller.  -errno: the upload is
 * whole. */
int upload_erase(int dir, const struct upload *u) must_check;

#endif
