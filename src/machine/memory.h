/* memory.h - writes the MEMORY file of a snapshot (docs/snapshot-format.md): each page of the
 * guest's memory at its own offset, and pages of zeros as holes. */
#ifndef MACHINE_MEMORY_H
#define MACHINE_MEMORY_H

#include "base/buf.h"
#include "base/err.h"
#include "machine/format.h"

struct memory_file {
	int fd;           /* borrowed */
	uint64_t written; /* bytes that are not holes */
};

/* Pages are given by number; @data points to page @first.  A full disk is ERR_CAPACITY.
 *
 * Write those of the @n pages that are not zero, in as few writes as possible. */
int memory_put(struct memory_file *f, const uint8_t *data, uint64_t first, uint64_t n,
	       struct err *e) must_check;
/* Write the pages that differ from those of @image, and append their runs to @runs (format.h). */
int memory_put_changed(struct memory_file *f, const uint8_t *data, const uint8_t *image,
		       uint64_t first, uint64_t n, struct buf *runs, struct err *e) must_check;
/* Set the file's size to that of the guest's memory, in bytes. */
int memory_end(const struct memory_file *f, uint64_t size, struct err *e) must_check;

/* Read exactly @size bytes at @at from such a file, or from a process's page map or memory. */
int memory_read(int fd, void *to, uint64_t size, uint64_t at, struct err *e) must_check;
int memory_write(int fd, const void *from, uint64_t size, uint64_t at, struct err *e) must_check;

#endif
