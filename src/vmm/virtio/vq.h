/* vq.h - what a queue and a chain are in memory.  A device embeds its queues, so its struct
 * (virtio/device.h) stands on this one, and the functions of queue.h stand on both. */
#ifndef VMM_VIRTIO_VQ_H
#define VMM_VIRTIO_VQ_H

#include <linux/virtio_ring.h>
#include <sys/uio.h>

#include "vmm/mem.h"

#define VQ_SIZE_MAX  256
#define VQ_SEG_MAX   128
#define VQ_BYTES_MAX (16 * MIB)

struct virtio_dev;

/* A run of host memory that is consumed from the front or the back as it is parsed. */
struct span {
	struct iovec *at;
	unsigned n;
	size_t size; /* of all that is left */
};

/* One request of the guest: the segments to read, then the segments to write. */
struct vq_chain {
	uint16_t head;
	struct span out, in;
	struct iovec seg[VQ_SEG_MAX];
};

struct vq {
	struct virtio_dev *dev; /* borrowed */
	const struct mem *mem;  /* borrowed */
	/* From here to `waiting` it is saved, as it stands.  First as the driver wrote them;
	 * latched by vq_start. */
	uint64_t desc_gpa, avail_gpa, used_gpa;
	uint16_t size; /* a power of two, at most VQ_SIZE_MAX */
	uint16_t next_avail, next_used;
	bool ready;
	bool waiting; /* at the last drain: chains to pop */
	/* While it runs. */
	bool running;
	bool indirect, event_idx; /* features that were agreed */
	struct vring_desc *desc;  /* in the guest's memory, these three */
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t signalled_used; /* up to here vq_notify has looked */
	uint16_t held;           /* popped, not pushed */
};

static inline void vq_stop(struct vq *vq)
{
	vq->running = false;
	vq->held = 0;
}

#endif
