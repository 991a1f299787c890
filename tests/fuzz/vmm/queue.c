/* The rings and registers, with a device that reads and writes all of every chain, in every way a
 * device does. */

#include <string.h>

#include "guest.h"
#include "vmm/virtio/queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct probe {
	struct virtio_dev dev;
	uint8_t config[12];
	unsigned kicks;
};

static void probe_chain(struct vq *vq, struct vq_chain *c)
{
	uint8_t *last = span_last_byte(&c->in);
	size_t written = 0;
	uint8_t bytes[7];

	while (span_take(&c->out, bytes, sizeof(bytes)) || span_skip(&c->out, 1))
		continue;
	while (span_put(&c->in, bytes, sizeof(bytes)))
		written += sizeof(bytes);
	if (last)
		*last = 1;
	vq_push(vq, c, written);
}

/* Every third kick gives back unread what it took; every fifth leaves the rest. */
static void probe_kick(struct virtio_dev *dev, unsigned q)
{
	struct probe *p = container_of(dev, struct probe, dev);
	struct vq *vq = &dev->vq[q];
	struct vq_chain c;

	p->kicks++;
	for (unsigned i = 0; i < 2 * VQ_SIZE_MAX && vq_pop(vq, &c); i++) {
		if (i == 1 && p->kicks % 3 == 0) {
			vq_unpop(vq);
			break;
		}
		probe_chain(vq, &c);
		if (p->kicks % 5 == 0)
			break;
	}
	vq_notify(vq);
}

static const struct virtio_ops probe_ops = {
	.name = "probe",
	.tag = "PROB",
	.id = 42,
	.n_queues = 3,
	.kick = probe_kick,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct probe p = { .dev = { .config = p.config,
				    .config_size = sizeof(p.config),
				    .config_writable = true } };
	struct guest g;
	struct err e;

	guest_open(&g);
	if (virtio_init(&p.dev, &probe_ops, NULL, &g.mem, &e))
		return 0;
	guest_play(&g, &p.dev, data, size, NULL);
	guest_close(&g);
	virtio_close(&p.dev);
	return 0;
}
