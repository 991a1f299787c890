/* upload.h - multipart uploads of a bucket: known parts, on disk and in memory. */
#ifndef OBJECTS_UPLOAD_H
#define OBJECTS_UPLOAD_H

#include "objects/store.h"

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
	unsigned busy; /* parts being written, or it is being completed */
	bool completing;
};

int uploads_load(struct bucket *b, struct err *e) must_check;
void uploads_free(struct bucket *b);                         /* in memory alone */
void uploads_note_data(const struct bucket *b, json_t *set); /* data files that are in use */

/* @head: key, type, meta ...; borrowed. */
struct upload *upload_begin(struct bucket *b, const char *key, json_t *head, enum s3_sum_kind kind,
			    bool whole, struct err *e);
struct upload *upload_find(const struct bucket *b, const char *id); /* NULL: none */
const struct upload_part *upload_part(const struct upload *u, unsigned number);
/* The data of @p is on disk; an older part of this number goes. */
int upload_put_part(struct bucket *b, struct upload *u, const struct upload_part *p,
		    struct err *e) must_check;
/* Gone from the disk, parts and all. */
void upload_end(struct bucket *b, struct upload *u);

#endif
