/* memory.h - the MEMORY file of a snapshot (docs/snapshot-format.md): each page of the guest's
 * memory at its own offset, pages of zeros as holes. */
#ifndef MACHINE_MEMORY_H
#define MACHINE_MEMORY_H

#include "base/buf.h"
#include "base/err.h"
#include "machine/format.h"

struct memory_file {
	int fd;           /* borrowed */
	uint64_t written; /* bytes that are no hole */
};

/* Pages by number; @data is where page @first is.  A full disk is ERR_CAPACITY.
 *
 * Write those of @n that are not zero, in as few pieces as there are. */
int memory_put(struct memory_file *f, const uint8_t *data, uint64_t first, uint64_t n,
	       struct err *e) must_check;
/* Of those that differ from the image's, @image: append the runs to @runs as format.h encodes them,
 * and write them. */
int memory_put_changed(struct memory_file *f, const uint8_t *data, const uint8_t *image,
		       uint64_t first, uint64_t n, struct buf *runs, struct err *e) must_check;
/* Give the file its size: the guest's, in bytes. */
int memory_end(const struct memory_file *f, uint64_t size, struct err *e) must_check;

/* All of @size bytes at @at, of such a file, of a process's page map or memory. */
int memory_read(int fd, void *to, uint64_t size, uint64_t at, struct err *e) must_check;
int memory_write(int fd, const void *from, uint64_t size, uint64_t at, struct err *e) must_check;

#endif
