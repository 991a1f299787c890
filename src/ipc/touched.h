/* touched.h - the file `touched` of an image version: which pages of its memory a start touches, so
 * that they are read in one go, before a guest asks for one after the other
 * (docs/snapshot-format.md).
 *
 * Runs of pages: number of the first and how many, 8 bytes each, little endian, in the order of
 * addresses, none empty, not overlapping.  It is a hint: what makes no sense, or is not there,
 * costs time alone. */
#ifndef IPC_TOUCHED_H
#define IPC_TOUCHED_H

#include "base/buf.h"

#define TOUCHED_FILE "touched"
#define TOUCHED_PAGE 4096
#define TOUCHED_GAP  16        /* pages: runs that are nearer are one, for the sake of the disk */
#define TOUCHED_MOST (4 * MIB) /* bytes of such a file that are looked at */

/* Pages, in the order of addresses. */
struct touched {
	struct buf *to;    /* borrowed: where the runs go */
	uint64_t first, n; /* of the one that grows */
};

void touched_add(struct touched *t, uint64_t first, uint64_t n);
void touched_end(struct touched *t);

/* The run at @at, which moves on: false at the end, or where the bytes make no sense for a memory
 * of @pages. */
bool touched_next(const uint8_t *data, size_t size, size_t *at, uint64_t pages, uint64_t *first,
		  uint64_t *n);

/* Ask the kernel to read them all, of the file @memory: system calls alone.  What is in the host's
 * memory already costs next to nothing. */
void touched_read_ahead(const uint8_t *data, size_t size, int memory);

#endif
