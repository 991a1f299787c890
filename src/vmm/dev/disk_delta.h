/* disk_delta.h - one delta of a disk (docs/vmm.md, "Disk"): which blocks it has, and where they
 * stand.
 *
 * A sparse file: a page of header, a bit for each block of 4 KiB (whole pages of them), and each
 * block at its own place behind.  An empty file is a layer without blocks; it gets its header with
 * the first one.  A few lines of the bitmap are kept in memory; the file is always as far as they
 * are.  Errors of a file are -errno: nothing here maps it, so a full or broken disk of the host
 * ends no process.  One thread at a time. */
#ifndef VMM_DEV_DISK_DELTA_H
#define VMM_DEV_DISK_DELTA_H

#include "base/err.h"

#define DISK_DELTA_BLOCK 4096
#define DISK_DELTA_HEAD  4096 /* of the file, before the bitmap */
#define DISK_DELTA_LINE  1024 /* bytes of bitmap: 32 MiB of disk */
#define DISK_DELTA_LINES 8    /* of them in memory */

struct disk_delta {
	int fd; /* owned */
	uint64_t n_blocks;
	bool empty; /* the file has no byte yet */
	/* Pieces of its bitmap, and one more than the number of each; 0: none. */
	uint32_t held[DISK_DELTA_LINES];
	uint8_t (*lines)[DISK_DELTA_LINE]; /* owned: DISK_DELTA_LINES of them, from the first use on
					    */
};

/* Whether these first bytes of a file are the header of a delta of this disk; fuzzed. */
int disk_delta_parse(const uint8_t *data, size_t size, uint64_t disk_size,
		     struct err *e) must_check;

/* Takes @fd on success; a file that is no delta of this disk is refused. */
int disk_delta_open(struct disk_delta *l, int fd, uint64_t disk_size, struct err *e) must_check;
void disk_delta_close(struct disk_delta *l);

/* How many of the @n blocks from @block on are all there or all missing (*has), at least one. */
int64_t disk_delta_run(struct disk_delta *l, uint64_t block, uint64_t n, bool *has) must_check;

/* Before blocks are written: the file has its header and its size.  After: they are there. */
int disk_delta_begin(struct disk_delta *l) must_check;
int disk_delta_set(struct disk_delta *l, uint64_t block, uint64_t n) must_check;

uint64_t disk_delta_offset(const struct disk_delta *l,
			   uint64_t block); /* where it stands in the file */

#endif
