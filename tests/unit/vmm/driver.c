#include "driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

void driver_open(struct driver *d)
{
	*d = (struct driver){ .heap = 4096 };
	d->ram = aligned_alloc(4096, DRIVER_MEMORY);
	assert_non_null(d->ram);
	memset(d->ram, 0, DRIVER_MEMORY);
	mem_borrow(&d->mem, d->ram, DRIVER_MEMORY);
}

void driver_attach(struct driver *d, struct virtio_dev *dev)
{
	struct err e;

	d->dev = dev;
	d->bus = (struct bus){ 0 };
	assert_int_equal(mmio_init(&d->mmio, dev, 0, &d->bus, &e), 0);
}

void driver_close(struct driver *d)
{
	mmio_close(&d->mmio);
	free(d->ram);
}

uint32_t driver_read(struct driver *d, uint64_t offset)
{
	uint8_t data[4];
	uint32_t value;

	bus_read(&d->bus, MMIO_BASE + offset, data, sizeof(data));
	memcpy(&value, data, sizeof(value));
	return value;
}

void driver_write(struct driver *d, uint64_t offset, uint32_t value)
{
	uint8_t data[4];

	memcpy(data, &value, sizeof(data));
	bus_write(&d->bus, MMIO_BASE + offset, data, sizeof(data));
}

uint64_t driver_alloc(struct driver *d, uint64_t size)
{
	uint64_t gpa = d->heap;

	d->heap += (size + 15) & ~15ULL;
	assert_true(d->heap <= DRIVER_MEMORY);
	return gpa;
}

void *driver_at(struct driver *d, uint64_t gpa)
{
	assert_true(gpa < DRIVER_MEMORY);
	return d->ram + gpa;
}

static void driver_lay_out(struct driver *d, unsigned i)
{
	struct driver_queue *q = &d->q[i];

	*q = (struct driver_queue){ 0 };
	q->desc_gpa = driver_alloc(d, DRIVER_SIZE * sizeof(*q->desc));
	q->avail_gpa = driver_alloc(d, 6 + 2 * DRIVER_SIZE);
	q->used_gpa = driver_alloc(d, 6 + 8 * DRIVER_SIZE);
	q->desc = driver_at(d, q->desc_gpa);
	q->avail = driver_at(d, q->avail_gpa);
	q->used = driver_at(d, q->used_gpa);
	memset(q->desc, 0, d->heap - q->desc_gpa);
	driver_write(d, VIRTIO_MMIO_QUEUE_SEL, i);
	assert_true(driver_read(d, VIRTIO_MMIO_QUEUE_NUM_MAX) >= DRIVER_SIZE);
	driver_write(d, VIRTIO_MMIO_QUEUE_NUM, DRIVER_SIZE);
	driver_write(d, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)q->desc_gpa);
	driver_write(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)q->avail_gpa);
	driver_write(d, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)q->used_gpa);
	driver_write(d, VIRTIO_MMIO_QUEUE_READY, 1);
}

void driver_prepare(struct driver *d, uint64_t features)
{
	uint32_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	features |= 1ULL << VIRTIO_F_VERSION_1;
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	driver_write(d, VIRTIO_MMIO_STATUS, status);
	for (uint32_t half = 0; half < 2; half++) {
		driver_write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
		driver_write(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * half));
	}
	driver_write(d, VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_FEATURES_OK);
	assert_true(driver_read(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK);
	for (unsigned i = 0; i < d->dev->ops->n_queues; i++)
		driver_lay_out(d, i);
}

void driver_start(struct driver *d, uint64_t features)
{
	driver_prepare(d, features);
	driver_write(d, VIRTIO_MMIO_STATUS,
		     driver_read(d, VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_DRIVER_OK);
}

uint16_t driver_offer(struct driver *d, unsigned i, const struct driver_part *parts, unsigned n)
{
	struct driver_queue *q = &d->q[i];
	uint16_t head = q->next_desc % DRIVER_SIZE, at = head;
	struct vring_desc *table = q->desc;
	unsigned size = DRIVER_SIZE;

	if (d->indirect) {
		uint64_t gpa = driver_alloc(d, n * sizeof(*table));

		table = driver_at(d, gpa);
		q->desc[head] = (struct vring_desc){ gpa, (uint32_t)(n * sizeof(*table)),
						     VRING_DESC_F_INDIRECT, 0 };
		size = n;
		at = 0;
	}
	q->next_desc = (uint16_t)(q->next_desc + (d->indirect ? 1 : n));
	for (unsigned p = 0; p < n; p++) {
		uint16_t next = (uint16_t)((at + 1U) % size);
		unsigned flags = (parts[p].in ? VRING_DESC_F_WRITE : 0U) |
				 (p + 1 < n ? VRING_DESC_F_NEXT : 0U);

		table[at] =
			(struct vring_desc){ parts[p].gpa, parts[p].size, (uint16_t)flags, next };
		at = next;
	}
	q->avail->ring[q->avail->idx % DRIVER_SIZE] = head;
	__atomic_store_n(&q->avail->idx, (uint16_t)(q->avail->idx + 1), __ATOMIC_SEQ_CST);
	return head;
}

void driver_kick(struct driver *d, unsigned q)
{
	driver_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, q);
}

uint16_t driver_send(struct driver *d, unsigned q, const struct driver_part *parts, unsigned n)
{
	uint16_t head = driver_offer(d, q, parts, n);

	driver_kick(d, q);
	return head;
}

bool driver_used(struct driver *d, unsigned i, uint32_t *head, uint32_t *size)
{
	struct driver_queue *q = &d->q[i];

	if (__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) == q->next_used)
		return false;
	*head = q->used->ring[q->next_used % DRIVER_SIZE].id;
	*size = q->used->ring[q->next_used % DRIVER_SIZE].len;
	q->next_used++;
	q->avail->ring[DRIVER_SIZE] = q->next_used; /* used_event */
	return true;
}

bool driver_interrupted(struct driver *d)
{
	uint64_t n;

	if (read(d->dev->irq_fd, &n, sizeof(n)) != sizeof(n))
		return false;
	driver_write(d, VIRTIO_MMIO_INTERRUPT_ACK, driver_read(d, VIRTIO_MMIO_INTERRUPT_STATUS));
	return true;
}
