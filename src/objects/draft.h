/* draft.h - a data file that is being written.
 *
 * On the loop the bytes of a request are taken into memory; once there are enough of them, they
 * change over (draft_change_over) to the buffer that the blocking functions write from.  So a body
 * comes in while the piece before it is written, and no more than two pieces are in memory if the
 * connection is not read while the draft is full.  A draft that is dropped leaves nothing. */
#ifndef OBJECTS_DRAFT_H
#define OBJECTS_DRAFT_H

#include "base/buf.h"
#include "objects/store.h"

struct draft {
	struct bucket *bucket; /* a reference, and busy; NULL: there is no draft */
	char data[UUID_SIZE];  /* its name */
	uint64_t size;         /* of all that was taken, or copied */
	struct buf taken;      /* the loop's */
	/* What the blocking functions work on. */
	struct buf writing;
	int fd; /* owned; -1: not made yet, or complete and closed */
	bool made;
	uint64_t written;
};

/* Files that are appended to a draft: an open piece of one, then whole data files in order. */
struct copying {
	int fd;                   /* owned; -1: the next name's is to be opened */
	uint64_t at, left;        /* of the open one */
	char (*names)[UUID_SIZE]; /* data files of the draft's bucket; owned */
	size_t n, next;
	enum s3_sum_kind sum_kind; /* of all that is copied, or NONE */
	struct s3_sum *summing;
	uint8_t sum[S3_SUM_BYTES];
};

/* On the loop. */
void draft_begin(struct draft *d, struct bucket *b);
int draft_take(struct draft *d, const void *data, size_t size, struct err *e) must_check;
bool draft_full(const struct draft *d); /* a piece was taken: change over, or take no more */
void draft_change_over(struct draft *d);
void draft_keep(struct draft *d);                  /* a record has its name now */
void draft_drop(struct store *s, struct draft *d); /* does nothing if there is none */
void copying_begin(struct copying *c);
void copying_free(struct store *s, struct copying *c);

/* Blocking; 0 or -errno. */
int draft_write(struct draft *d) must_check; /* what changed over */
/* One bounded piece, so that a long copy does not keep others from the disk.  1: there is more. */
int draft_copy(struct draft *d, struct copying *c) must_check;
int draft_sync(struct draft *d) must_check; /* durable, and closed */

#endif
