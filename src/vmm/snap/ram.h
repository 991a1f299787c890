/* ram.h - copies the guest's memory between the window and a MEMORY file (docs/snapshot-format.md).
 *
 * An image holds all pages that are not zero; a save holds those that differ from the image, as
 * runs. The page map of this process shows what the guest wrote over the private mapping of an
 * image.  The vCPUs must be paused.  Saving goes step by step, so that the loop stays responsive.
 */
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

/* Write what differs from @image_fd, or everything if that is -1, to @to.  @s must be zero.  The
 * descriptors are borrowed. */
void ram_save_begin(struct ram_save *s, const struct mem *m, int pagemap_fd, int image_fd, int to);
/* Returns 1 when it is done and the file has its size, 0 to be called again, or -1 with *e. */
int ram_save_step(struct ram_save *s, struct err *e) must_check;

/* Write the runs of a save, whose MEMORY file is @from, over the window. */
int ram_lay(const struct mem *m, int from, const struct format *f, struct err *e) must_check;

/* Append to @runs the pages of the window that this process has (touched.h): those that the guest
 * touched, and those that the kernel mapped around them. */
int ram_touched(const struct mem *m, int pagemap_fd, struct buf *runs, struct err *e) must_check;

#endif
