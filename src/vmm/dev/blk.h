/* blk.h - virtio-blk (virtio 1.2, 5.2) over a copy-on-write disk.
 *
 * One queue.  The loop takes requests off it and reads their headers; one disk thread does them in
 * order of arrival, straight from and to the guest's memory, and says so by an eventfd; the loop
 * gives them back.  At most BLK_IN_FLIGHT are under way, the others wait in the guest's ring.
 *
 * The thread is made while the board is (blk_init), the disk comes with the image (blk_attach).
 * What a request asks that makes no sense is answered with an error; a chain that is no request is
 * a guest fault.  An error of a host file is VIRTIO_BLK_S_IOERR. */
#ifndef VMM_DEV_BLK_H
#define VMM_DEV_BLK_H

#include <linux/virtio_blk.h>
#include <pthread.h>

#include "vmm/dev/cow.h"
#include "vmm/virtio/device.h"

#define BLK_IN_FLIGHT    16
#define BLK_RANGES_MAX   16      /* of one discard or write-zeroes request */
#define BLK_RANGE_MAX    2097152 /* sectors in one of them: 1 GiB */
#define BLK_SEGMENT_SIZE 131072  /* of a request's data: 126 of them are within VQ_BYTES_MAX */

struct blk_request {
	struct vq_chain chain;
	uint32_t type;
	uint64_t sector;
	uint8_t *status; /* in the guest's memory */
	size_t written;
};

struct blk {
	struct virtio_dev dev;
	struct virtio_blk_config config;
	struct cow *cow; /* borrowed; NULL: no disk yet */
	struct watch finished;
	int finished_fd;       /* owned */
	atomic_bool signalled; /* finished_fd was written and not looked at */
	void (*enter)(void);   /* first thing in the disk thread; may be NULL */
	pthread_t thread;

	/* Counts of requests since the start: taken >= done >= given back.  Number n is in
	 * requests[n % BLK_IN_FLIGHT]. */
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
	uint64_t taken, done;
	bool ending;
	uint64_t given; /* the loop's alone */
	struct blk_request requests[BLK_IN_FLIGHT];
};

/* @b is zero.  The device and its thread, which calls @enter (its filter) before anything else. */
int blk_init(struct blk *b, struct loop *l, const struct mem *mem, void (*enter)(void),
	     struct err *e) must_check;
/* Before DRIVER_OK or virtio_load. */
void blk_attach(struct blk *b, struct cow *cow);
void blk_close(struct blk *b); /* ends the thread; the disk is not closed */

#endif
