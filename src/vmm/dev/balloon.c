#include "vmm/dev/balloon.h"

#include <endian.h>
#include <linux/virtio_ids.h>
#include <sys/mman.h>

#include "vmm/virtio/core.h"
#include "vmm/virtio/queue.h"

#define PAGE     4096UL
#define PFNS_MAX 256 /* in one request of a driver */

/* As Linux numbers them without the features that are not offered. */
enum { INFLATE, DEFLATE, REPORTING, QUEUES };

/* Whole pages of it; a piece of one stays. */
static void balloon_drop(void *at, size_t size)
{
	uintptr_t begin = ((uintptr_t)at + PAGE - 1) & ~(PAGE - 1);
	uintptr_t end = ((uintptr_t)at + size) & ~(PAGE - 1);

	if (begin < end)
		madvise((uint8_t *)at + (begin - (uintptr_t)at), end - begin, MADV_DONTNEED);
}

/* The buffers are the free pages. */
static bool balloon_report(struct virtio_dev *dev, struct vq_chain *c)
{
	(void)dev;
	for (unsigned i = 0; i < c->in.n; i++)
		balloon_drop(c->in.at[i].iov_base, c->in.at[i].iov_len);
	return !c->out.size;
}

/* A row of numbers of pages of 4 KiB. */
static bool balloon_inflate(struct virtio_dev *dev, struct vq_chain *c)
{
	uint32_t pfn;

	if (c->out.size > PFNS_MAX * sizeof(pfn))
		return false;
	while (span_take(&c->out, &pfn, sizeof(pfn))) {
		void *page = mem_slice(dev->mem, le32toh(pfn) * PAGE, PAGE);

		if (page)
			balloon_drop(page, PAGE);
	}
	return !c->in.size;
}

static bool balloon_deflate(struct virtio_dev *dev, struct vq_chain *c)
{
	(void)dev;
	return !c->in.size;
}

static bool (*const balloon_takes[QUEUES])(struct virtio_dev *dev, struct vq_chain *c) = {
	[INFLATE] = balloon_inflate,
	[DEFLATE] = balloon_deflate,
	[REPORTING] = balloon_report,
};

static void balloon_kick(struct virtio_dev *dev, unsigned q)
{
	struct vq *vq = &dev->vq[q];
	struct vq_chain c;
	unsigned n = 0;

	for (; n < BALLOON_AT_ONCE && vq_pop(vq, &c); n++) {
		if (!balloon_takes[q](dev, &c)) {
			virtio_fault(dev, "a row of pages that is none");
			return;
		}
		vq_push(vq, &c, 0);
	}
	vq_notify(vq);
	if (n == BALLOON_AT_ONCE)
		virtio_kick_later(dev);
}

static const struct virtio_ops balloon_ops = {
	.name = "balloon",
	.tag = "VBAL",
	.id = VIRTIO_ID_BALLOON,
	.n_queues = QUEUES,
	.features = 1ULL << VIRTIO_BALLOON_F_REPORTING,
	.chain_most = UINT64_MAX, /* pages that are named, not read */
	.kick = balloon_kick,
};

/* The driver writes the balloon's size into the config space, where nothing reads it. */
int balloon_init(struct balloon *b, struct loop *l, const struct mem *mem, struct err *e)
{
	*b = (struct balloon){ 0 };
	b->dev.config = &b->config;
	b->dev.config_size = sizeof(b->config);
	b->dev.config_writable = true;
	return virtio_init(&b->dev, &balloon_ops, l, mem, e);
}

void balloon_close(struct balloon *b)
{
	virtio_close(&b->dev);
}
