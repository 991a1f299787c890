/* draft.h - a data file that is being written, and what is done to it beside the loop.
 *
 * fsync and copying of gigabytes run as libuv work: they touch descriptors alone, everything else
 * stays with the loop.  A draft that is dropped leaves nothing. */
#ifndef OBJECTS_DRAFT_H
#define OBJECTS_DRAFT_H

#include <uv.h>

#include "objects/store.h"

struct draft {
	struct bucket *bucket; /* borrowed; busy while the draft is there */
	char data[UUID_SIZE];  /* its name */
	int fd;                /* owned; -1: none */
	uint64_t size;
};

int draft_begin(struct draft *d, struct bucket *b, struct err *e) must_check;
int draft_write(struct draft *d, const void *data, size_t size, struct err *e) must_check;
void draft_drop(struct draft *d); /* closed and deleted; harmless on one that is not there */
void draft_keep(struct draft *d); /* closed; its name is in a JSON now */

/* Append a piece of a file, or whole data files in order, then make it durable. */
struct draft_job {
	uv_work_t work;
	struct draft *draft;
	int source;               /* owned, closed at the end; -1: none */
	uint64_t at, left;        /* of the source */
	char (*names)[UUID_SIZE]; /* data files of the draft's bucket; owned */
	size_t n;
	enum s3_sum_kind sum_kind; /* of the whole, or NONE */
	struct s3_sum *summing;
	uint8_t sum[S3_SUM_BYTES];
	int rc;                            /* 0 or -errno */
	void (*done)(struct draft_job *j); /* on the loop, always */
};
void draft_start(uv_loop_t *loop, struct draft_job *j);

#endif
