/* touched.h - the file `touched` of an image version.  It lists the pages of its memory that a
 * start touches, so that they are read in one go before a guest faults on them one by one
 * (docs/snapshot-format.md).
 *
 * The file holds runs of pages: the number of the first page and their count, 8 bytes each, little
 * endian, by ascending address, none empty, none overlapping.  It is a hint: a missing or malformed
 * file only costs time. */
#ifndef IPC_TOUCHED_H
#define IPC_TOUCHED_H

#include "base/buf.h"

#define TOUCHED_FILE "touched"
#define TOUCHED_PAGE 4096
#define TOUCHED_GAP  16        /* pages; runs that are nearer are joined into one read */
#define TOUCHED_MAX  (4 * MIB) /* bytes of the file that are read */

/* Pages must come by ascending address. */
struct touched {
	struct buf *to;    /* borrowed: where the runs go */
	uint64_t first, n; /* the run that still grows */
};

void touched_add(struct touched *t, uint64_t first, uint64_t n);
void touched_end(struct touched *t);

/* Read the run at @at and advance.  False at the end, or if the run does not fit a memory of @pages
 * pages. */
bool touched_next(const uint8_t *data, size_t size, size_t *at, uint64_t pages, uint64_t *first,
		  uint64_t *n);

/* Ask the kernel to read these pages of the file @memory ahead, by system calls alone.  Pages that
 * the host has in memory already cost next to nothing. */
void touched_read_ahead(const uint8_t *data, size_t size, int memory);

#endif
