/* pages.h - a guest's memory between a process and a file.
 *
 * The memory is one memfd; a booted machine's QEMU shares it, a clone's maps it copy-on-write, and
 * what the clone wrote is found from outside by its page map and read and written through its mem
 * file.  All of it blocks: it runs in a worker (child.h). */
#ifndef QEMU_PAGES_H
#define QEMU_PAGES_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "machine/format.h"

/* The memory of a process that maps a memfd. */
struct pages_view {
	int pagemap_fd, mem_fd; /* owned */
	uint64_t at;            /* address of the first byte */
	uint64_t size;
};

/* Open /proc/<pid>'s memory where @memory_fd (@size bytes) is mapped. */
int pages_open(struct pages_view *v, pid_t pid, int memory_fd, uint64_t size,
	       struct err *e) must_check;
void pages_close(struct pages_view *v);

/* All pages of @memory_fd that are not zero into @to, at their own offset; the rest stays a hole.
 * *written counts the bytes. */
int pages_copy(int memory_fd, uint64_t size, int to, uint64_t *written, struct err *e) must_check;

/* The pages that are the process's own and differ from @image_fd, at their own offset in @to; pages
 * of zeros stay holes.  The runs are appended to @runs as format.h encodes them. */
int pages_save(const struct pages_view *v, int image_fd, int to, struct buf *runs,
	       uint64_t *written, struct err *e) must_check;

/* Lay the runs of a save over the process's memory. */
int pages_lay(const struct pages_view *v, int from, const struct format *f,
	      struct err *e) must_check;

#endif
