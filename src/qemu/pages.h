/* pages.h - copies a guest's memory between a process and a file.
 *
 * The memory is one memfd.  The QEMU of a booted machine shares it; that of a clone maps it
 * copy-on-write.  Its page map shows from outside what the clone wrote, and its mem file gives
 * access to it.  Everything here blocks, so it runs in a worker (child.h). */
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

/* Open the memory of /proc/<pid> where it maps @memory_fd (@size bytes). */
int pages_open(struct pages_view *v, pid_t pid, int memory_fd, uint64_t size,
	       struct err *e) must_check;
void pages_close(struct pages_view *v);

/* Copy all pages of @memory_fd that are not zero to @to, at their own offsets.  The rest stays a
 * hole.  *written counts the bytes. */
int pages_copy(int memory_fd, uint64_t size, int to, uint64_t *written, struct err *e) must_check;

/* Copy the process's own pages that differ from @image_fd to @to, at their own offsets.  Pages of
 * zeros stay holes.  Append the runs to @runs (format.h). */
int pages_save(const struct pages_view *v, int image_fd, int to, struct buf *runs,
	       uint64_t *written, struct err *e) must_check;

/* Write the runs of a save over the process's memory. */
int pages_lay(const struct pages_view *v, int from, const struct format *f,
	      struct err *e) must_check;

#endif
