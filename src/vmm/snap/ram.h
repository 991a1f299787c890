/* ram.h - the guest's memory between the window and a MEMORY file (docs/snapshot-format.md).
 *
 * An image has all pages that are not zero; a save those that differ from the image, as runs.  What
 * the guest wrote over an image's private mapping is found by the page map of this process.  The
 * vCPUs stand still.  Both go step by step, so that the loop stays awake. */
#ifndef VMM_SNAP_RAM_H
#define VMM_SNAP_RAM_H

#include "base/buf.h"
#include "machine/memory.h"
#include "machine/scan.h"
#include "vmm/mem.h"

struct ram_save {
	const struct mem *mem; /* borrowed */
	int image_fd;          /* borrowed; -1: an image is written */
	struct memory_file to;
	struct buf runs; /* as format.h encodes them */
	struct scan scan;
};

/* @s is zero.  What differs from @image_fd, or with -1 all of it, into @to; descriptors are
 * borrowed. */
void ram_save_begin(struct ram_save *s, const struct mem *m, int pagemap_fd, int image_fd, int to);
/* 1: done, and *to has its size; 0: call again; -1: *e. */
int ram_save_step(struct ram_save *s, struct err *e) must_check;

/* Lay the runs of a save, whose MEMORY file is @from, over the window. */
int ram_lay(const struct mem *m, int from, const struct format *f, struct err *e) must_check;

/* Append to @runs which pages of the window this process has, as touched.h encodes them: what the
 * guest touched, and what the kernel mapped around it. */
int ram_touched(const struct mem *m, int pagemap_fd, struct buf *runs, struct err *e) must_check;

#endif
