#include "guest.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vmm/virtio/core.h"

/* Where a proper driver lays queue q: three pages of its own at most. */
#define RING_SIZE  16
#define RING_DESC  0x0
#define RING_AVAIL 0x200
#define RING_USED  0x300

static uint64_t ring_at(unsigned q, uint64_t offset)
{
	return 0x1000ULL * (q + 1) + offset;
}

static bool guest_take(struct guest *g, void *to, size_t size)
{
	if (size > g->left) {
		g->left = 0;
		return false;
	}
	memcpy(to, g->at, size);
	g->at += size;
	g->left -= size;
	return true;
}

static void guest_set(struct guest *g, uint64_t offset, uint32_t value)
{
	uint8_t data[4];

	memcpy(data, &value, sizeof(data));
	bus_write(&g->bus, MMIO_BASE + offset, data, sizeof(data));
}

static void step_write(struct guest *g)
{
	uint16_t offset;
	uint32_t value;

	if (guest_take(g, &offset, 2) && guest_take(g, &value, 4))
		guest_set(g, offset % MMIO_SIZE, value);
}

static void step_read(struct guest *g)
{
	static const unsigned sizes[] = { 4, 1, 2, 8 };
	uint8_t data[8];
	uint16_t offset;

	if (guest_take(g, &offset, 2))
		bus_read(&g->bus, MMIO_BASE + offset % MMIO_SIZE, data, sizes[offset >> 14]);
}

static void step_memory(struct guest *g)
{
	uint16_t at;
	uint8_t n;

	if (guest_take(g, &at, 2) && guest_take(g, &n, 1) && at + n <= (int)GUEST_MEMORY)
		guest_take(g, g->mem.window + at, n);
}

static void step_kick(struct guest *g)
{
	uint8_t q;

	if (guest_take(g, &q, 1))
		guest_set(g, MMIO_NOTIFY, q % (VIRTIO_QUEUES + 1U));
}

static void step_chain(struct guest *g)
{
	struct vring_desc *desc;
	struct vring_avail *avail;
	uint8_t q, n;

	if (!guest_take(g, &q, 1) || !guest_take(g, &n, 1))
		return;
	q %= VIRTIO_QUEUES;
	n = (uint8_t)(n % RING_SIZE + 1);
	desc = (struct vring_desc *)(void *)(g->mem.window + ring_at(q, RING_DESC));
	avail = (struct vring_avail *)(void *)(g->mem.window + ring_at(q, RING_AVAIL));
	for (unsigned i = 0; i < n; i++) {
		uint16_t at, size;
		uint8_t in;

		if (!guest_take(g, &at, 2) || !guest_take(g, &size, 2) || !guest_take(g, &in, 1))
			return;
		desc[i] = (struct vring_desc){ at, size,
					       (uint16_t)((in & 1U ? VRING_DESC_F_WRITE : 0U) |
							  (i + 1U < n ? VRING_DESC_F_NEXT : 0U)),
					       (uint16_t)(i + 1U) };
	}
	avail->ring[avail->idx % RING_SIZE] = 0;
	avail->idx++;
	guest_set(g, MMIO_NOTIFY, q);
}

static void step_save(struct guest *g)
{
	autobuf struct buf b = { 0 };
	struct err e;

	virtio_drain(g->dev);
	virtio_save(g->dev, 0, &b);
	if (virtio_load(g->dev, 0, &(struct rows){ b.data, b.size, 0 }, &e))
		__builtin_trap(); /* what we say ourselves makes sense */
	virtio_resume(g->dev);
}

static void step_handshake(struct guest *g)
{
	uint8_t features;

	if (!guest_take(g, &features, 1))
		return;
	guest_set(g, VIRTIO_MMIO_STATUS, 0);
	guest_set(g, VIRTIO_MMIO_STATUS, 3);
	guest_set(g, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	guest_set(g, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	guest_set(g, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	guest_set(g, VIRTIO_MMIO_DRIVER_FEATURES,
		  (uint32_t)g->dev->ops->features | (features & 3U) << 28);
	guest_set(g, VIRTIO_MMIO_STATUS, 11);
	for (unsigned q = 0; q < g->dev->ops->n_queues; q++) {
		memset(g->mem.window + ring_at(q, 0), 0, 0x400);
		guest_set(g, VIRTIO_MMIO_QUEUE_SEL, q);
		guest_set(g, VIRTIO_MMIO_QUEUE_NUM, RING_SIZE);
		guest_set(g, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)ring_at(q, RING_DESC));
		guest_set(g, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)ring_at(q, RING_AVAIL));
		guest_set(g, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)ring_at(q, RING_USED));
		guest_set(g, VIRTIO_MMIO_QUEUE_READY, 1);
	}
	guest_set(g, VIRTIO_MMIO_STATUS, 15);
}

static void (*const steps[])(struct guest *g) = { step_write, step_read, step_memory,   step_kick,
						  step_chain, step_save, step_handshake };

void guest_open(struct guest *g)
{
	log_init("fuzz", LOG_LEVEL_ERR);
	*g = (struct guest){ 0 };
	mem_borrow(&g->mem, aligned_alloc(4096, GUEST_MEMORY), GUEST_MEMORY);
	if (!g->mem.window)
		abort();
	memset(g->mem.window, 0, GUEST_MEMORY);
}

void guest_play(struct guest *g, struct virtio_dev *dev, const uint8_t *data, size_t size,
		void (*after)(struct virtio_dev *dev))
{
	struct err e;

	g->dev = dev;
	g->at = data;
	g->left = size;
	if (mmio_init(&g->mmio, dev, 0, &g->bus, &e))
		abort();
	while (g->left) {
		uint8_t step;

		if (guest_take(g, &step, 1))
			steps[step % ARRAY_SIZE(steps)](g);
		if (after)
			after(dev);
	}
}

void guest_close(struct guest *g)
{
	mmio_close(&g->mmio);
	free(g->mem.window);
}
