/* cow.h - the guest's disk: layers over the image's raw file, copy-on-write in blocks of 4 KiB.
 *
 * Only the topmost layer is written; the others and ROOT are read.  A read takes each block from
 * the first layer that has it.  A write of part of a block first copies the rest of it up.  Bytes
 * move directly between the files and the guest's memory.
 *
 * While the machine runs nothing is synced, because it does not outlive its host; cow_sync syncs
 * for a save.  Results are 0 or -errno (cow_open sets an error).  One thread at a time may call
 * this: the disk thread, or the loop while that thread is drained. */
#ifndef VMM_DEV_COW_H
#define VMM_DEV_COW_H

#include "vmm/dev/disk_delta.h"
#include "vmm/virtio/queue.h"

#define COW_LAYERS 3 /* overlay, save, the image's delta */
#define COW_SECTOR 512

struct cow {
	int root_fd; /* owned */
	uint64_t size;
	struct disk_delta layer[COW_LAYERS]; /* from the top */
	unsigned n_layers;
	uint8_t block[DISK_DELTA_BLOCK]; /* one that is brought up */
};

/* On success it takes over @root and the @n_layers descriptors of @layers, from the top. */
int cow_open(struct cow *c, int root, const int *layers, unsigned n_layers,
	     struct err *e) must_check;
void cow_close(struct cow *c);

/* Transfer the whole span at byte @at of the disk.  It must be whole sectors inside the disk. */
int cow_read(struct cow *c, uint64_t at, struct span *to) must_check;
int cow_write(struct cow *c, uint64_t at, struct span *from) must_check;
/* Make the range read as zeros from now on, without taking space. */
int cow_zero(struct cow *c, uint64_t at, uint64_t size) must_check;
/* The guest no longer needs the range.  Its space is given back as far as possible. */
int cow_discard(struct cow *c, uint64_t at, uint64_t size) must_check;

/* Copy the blocks that @from has and @to lacks: with the layer below it copied in, a layer stands
 * for both, and a save is one level over the image's disk. */
int cow_copy_present(struct disk_delta *from, struct disk_delta *to) must_check;
int cow_sync(struct cow *c) must_check;

#endif
