#include "echo.h"
#include "vmm/virtio/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct snap_field echo_saved[] = { SNAP(1, struct echo, served), SNAP_END };

static void echo_kick(struct virtio_dev *dev, unsigned q)
{
	struct echo *echo = container_of(dev, struct echo, dev);
	struct vq *vq = &dev->vq[q];
	struct vq_chain c;

	for (unsigned i = 0; i < echo->most && vq_pop(vq, &c); i++) {
		size_t written = 0;
		uint8_t byte;

		while (c.in.size && span_take(&c.out, &byte, 1) && span_put(&c.in, &byte, 1))
			written++;
		vq_push(vq, &c, written);
		echo->served++;
	}
	vq_notify(vq);
}

static void echo_start(struct virtio_dev *dev)
{
	container_of(dev, struct echo, dev)->starts++;
}

static void echo_reset(struct virtio_dev *dev)
{
	container_of(dev, struct echo, dev)->resets++;
}

static void echo_configured(struct virtio_dev *dev, uint32_t offset, uint32_t size)
{
	container_of(dev, struct echo, dev)->configured += offset * 100 + size;
}

static bool echo_loaded(struct virtio_dev *dev)
{
	return !container_of(dev, struct echo, dev)->refuses;
}

static const struct virtio_ops echo_ops = {
	.name = "echo",
	.tag = "ECHO",
	.id = 42,
	.n_queues = 2,
	.features = 1ULL << ECHO_FEATURE,
	.saved = echo_saved,
	.kick = echo_kick,
	.start = echo_start,
	.reset = echo_reset,
	.configured = echo_configured,
	.loaded = echo_loaded,
};

void echo_open(struct echo *echo, struct loop *l, const struct mem *mem)
{
	struct err e;

	*echo = (struct echo){ .most = 100 };
	echo->dev.config = echo->config;
	echo->dev.config_size = sizeof(echo->config);
	assert_int_equal(virtio_init(&echo->dev, &echo_ops, l, mem, &e), 0);
}
