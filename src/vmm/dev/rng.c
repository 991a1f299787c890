#include "vmm/dev/rng.h"

#include <linux/virtio_ids.h>

#include "base/rand.h"
#include "vmm/virtio/core.h"
#include "vmm/virtio/queue.h"

/* The bytes go directly into the guest's memory, and none of ours keeps a copy. */
static size_t rng_fill(struct span *in)
{
	size_t most = in->size < RNG_MAX ? in->size : RNG_MAX, done = 0;

	while (done < most) {
		size_t n = in->at->iov_len < most - done ? in->at->iov_len : most - done;

		rand_bytes(in->at->iov_base, n);
		span_skip(in, n);
		done += n;
	}
	return done;
}

static void rng_kick(struct virtio_dev *dev, unsigned q)
{
	struct vq *vq = &dev->vq[q];
	struct vq_chain c;

	for (unsigned n = 0; vq_pop(vq, &c); n++) {
		if (!c.in.size || c.out.size) {
			virtio_fault(dev, "a request for random bytes with nowhere to put them");
			return;
		}
		if (n == RNG_AT_ONCE) {
			vq_unpop(vq);
			virtio_kick_later(dev);
			break;
		}
		vq_push(vq, &c, rng_fill(&c.in));
	}
	vq_notify(vq);
}

static const struct virtio_ops rng_ops = {
	.name = "rng",
	.tag = "VRNG",
	.id = VIRTIO_ID_RNG,
	.n_queues = 1,
	.kick = rng_kick,
};

int rng_init(struct rng *r, struct loop *l, const struct mem *mem, struct err *e)
{
	*r = (struct rng){ 0 };
	return virtio_init(&r->dev, &rng_ops, l, mem, e);
}

void rng_close(struct rng *r)
{
	virtio_close(&r->dev);
}
