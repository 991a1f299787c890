#include "vmm/virtio/mmio.h"

#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/virtio/core.h"

#define MAGIC   0x74726976 /* "virt" */
#define VERSION 2
#define VENDOR  0x657a6f64 /* "doze" */

struct mmio_reg {
	uint16_t at;
	uint32_t (*read)(const struct virtio_dev *dev); /* NULL: zero */
	void (*write)(struct virtio_dev *dev, uint32_t value);
};

/* The queue that the driver selected, or NULL. */
static struct vq *mmio_queue(struct virtio_dev *dev)
{
	return dev->queue_sel < dev->ops->n_queues ? &dev->vq[dev->queue_sel] : NULL;
}

static uint32_t mmio_magic(const struct virtio_dev *dev)
{
	(void)dev;
	return MAGIC;
}

static uint32_t mmio_version(const struct virtio_dev *dev)
{
	(void)dev;
	return VERSION;
}

static uint32_t mmio_device_id(const struct virtio_dev *dev)
{
	return dev->ops->id;
}

static uint32_t mmio_vendor(const struct virtio_dev *dev)
{
	(void)dev;
	return VENDOR;
}

static uint32_t mmio_features(const struct virtio_dev *dev)
{
	return dev->features_sel > 1 ? 0
				     : (uint32_t)(virtio_offered(dev) >> 32 * dev->features_sel);
}

static void mmio_select_features(struct virtio_dev *dev, uint32_t value)
{
	dev->features_sel = value;
}

/* Fixed once they are agreed. */
static void mmio_set_features(struct virtio_dev *dev, uint32_t value)
{
	unsigned shift = 32 * dev->driver_features_sel;

	if (dev->status & VIRTIO_CONFIG_S_FEATURES_OK || dev->driver_features_sel > 1)
		return;
	dev->driver_features &= ~(0xffffffffULL << shift);
	dev->driver_features |= (uint64_t)value << shift;
}

static void mmio_select_driver_features(struct virtio_dev *dev, uint32_t value)
{
	dev->driver_features_sel = value;
}

static void mmio_select_queue(struct virtio_dev *dev, uint32_t value)
{
	dev->queue_sel = value;
}

static uint32_t mmio_queue_most(const struct virtio_dev *dev)
{
	return dev->queue_sel < dev->ops->n_queues ? VQ_SIZE_MAX : 0;
}

static uint32_t mmio_queue_ready(const struct virtio_dev *dev)
{
	return dev->queue_sel < dev->ops->n_queues && dev->vq[dev->queue_sel].ready;
}

/* From DRIVER_OK on nothing of a queue changes. */
static struct vq *mmio_open_queue(struct virtio_dev *dev)
{
	return dev->status & VIRTIO_CONFIG_S_DRIVER_OK ? NULL : mmio_queue(dev);
}

static void mmio_set_ready(struct virtio_dev *dev, uint32_t value)
{
	struct vq *vq = mmio_open_queue(dev);

	if (vq)
		vq->ready = value == 1;
}

static void mmio_set_size(struct virtio_dev *dev, uint32_t value)
{
	struct vq *vq = mmio_open_queue(dev);

	if (vq && !vq->ready)
		vq->size = value <= VQ_SIZE_MAX ? (uint16_t)value : 0; /* vq_start refuses 0 */
}

/* The halves of the three addresses of a queue. */
static const struct mmio_half {
	uint16_t at;
	size_t member;
	unsigned shift;
} mmio_halves[] = {
	{ VIRTIO_MMIO_QUEUE_DESC_LOW, offsetof(struct vq, desc_gpa), 0 },
	{ VIRTIO_MMIO_QUEUE_DESC_HIGH, offsetof(struct vq, desc_gpa), 32 },
	{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, offsetof(struct vq, avail_gpa), 0 },
	{ VIRTIO_MMIO_QUEUE_AVAIL_HIGH, offsetof(struct vq, avail_gpa), 32 },
	{ VIRTIO_MMIO_QUEUE_USED_LOW, offsetof(struct vq, used_gpa), 0 },
	{ VIRTIO_MMIO_QUEUE_USED_HIGH, offsetof(struct vq, used_gpa), 32 },
};

static void mmio_set_address(struct virtio_dev *dev, uint64_t at, uint32_t value)
{
	struct vq *vq = mmio_open_queue(dev);

	for (size_t i = 0; i < ARRAY_SIZE(mmio_halves) && vq && !vq->ready; i++) {
		const struct mmio_half *h = &mmio_halves[i];
		uint64_t whole;

		if (h->at != at)
			continue;
		memcpy(&whole, (char *)vq + h->member, sizeof(whole));
		whole &= ~(0xffffffffULL << h->shift);
		whole |= (uint64_t)value << h->shift;
		memcpy((char *)vq + h->member, &whole, sizeof(whole));
	}
}

static uint32_t mmio_isr(const struct virtio_dev *dev)
{
	return atomic_load(&dev->isr);
}

static void mmio_ack(struct virtio_dev *dev, uint32_t value)
{
	atomic_fetch_and(&dev->isr, ~value);
}

static uint32_t mmio_status(const struct virtio_dev *dev)
{
	return dev->status;
}

static uint32_t mmio_generation(const struct virtio_dev *dev)
{
	return dev->config_generation;
}

static uint32_t mmio_ones(const struct virtio_dev *dev)
{
	(void)dev;
	return UINT32_MAX;
}

static const struct mmio_reg mmio_regs[] = {
	{ VIRTIO_MMIO_MAGIC_VALUE, mmio_magic, NULL },
	{ VIRTIO_MMIO_VERSION, mmio_version, NULL },
	{ VIRTIO_MMIO_DEVICE_ID, mmio_device_id, NULL },
	{ VIRTIO_MMIO_VENDOR_ID, mmio_vendor, NULL },
	{ VIRTIO_MMIO_DEVICE_FEATURES, mmio_features, NULL },
	{ VIRTIO_MMIO_DEVICE_FEATURES_SEL, NULL, mmio_select_features },
	{ VIRTIO_MMIO_DRIVER_FEATURES, NULL, mmio_set_features },
	{ VIRTIO_MMIO_DRIVER_FEATURES_SEL, NULL, mmio_select_driver_features },
	{ VIRTIO_MMIO_QUEUE_SEL, NULL, mmio_select_queue },
	{ VIRTIO_MMIO_QUEUE_NUM_MAX, mmio_queue_most, NULL },
	{ VIRTIO_MMIO_QUEUE_NUM, NULL, mmio_set_size },
	{ VIRTIO_MMIO_QUEUE_READY, mmio_queue_ready, mmio_set_ready },
	{ VIRTIO_MMIO_QUEUE_NOTIFY, NULL, virtio_notify },
	{ VIRTIO_MMIO_INTERRUPT_STATUS, mmio_isr, NULL },
	{ VIRTIO_MMIO_INTERRUPT_ACK, NULL, mmio_ack },
	{ VIRTIO_MMIO_STATUS, mmio_status, virtio_set_status },
	{ VIRTIO_MMIO_SHM_LEN_LOW, mmio_ones, NULL }, /* there is no shared memory */
	{ VIRTIO_MMIO_SHM_LEN_HIGH, mmio_ones, NULL },
	{ VIRTIO_MMIO_CONFIG_GENERATION, mmio_generation, NULL },
};
static_assert(VIRTIO_MMIO_QUEUE_NOTIFY == MMIO_NOTIFY, "the header is right");

static const struct mmio_reg *mmio_find(uint64_t offset, unsigned size)
{
	for (size_t i = 0; i < ARRAY_SIZE(mmio_regs); i++)
		if (mmio_regs[i].at == offset && size == 4)
			return &mmio_regs[i];
	return NULL;
}

/* Do the @size bytes at @offset lie in the config space?  *offset then becomes relative to it. */
static bool mmio_in_config(const struct virtio_dev *dev, uint64_t *offset, unsigned size)
{
	if (*offset < VIRTIO_MMIO_CONFIG || *offset - VIRTIO_MMIO_CONFIG > dev->config_size ||
	    size > dev->config_size - (*offset - VIRTIO_MMIO_CONFIG))
		return false;
	*offset -= VIRTIO_MMIO_CONFIG;
	return true;
}

static void mmio_read(struct bus_range *range, uint64_t offset, uint8_t *data, unsigned size)
{
	const struct virtio_dev *dev = container_of(range, struct mmio, range)->dev;
	const struct mmio_reg *reg = mmio_find(offset, size);
	uint32_t value;

	memset(data, 0, size);
	if (mmio_in_config(dev, &offset, size)) {
		memcpy(data, (const uint8_t *)dev->config + offset, size);
	} else if (reg && reg->read) {
		value = htole32(reg->read(dev));
		memcpy(data, &value, sizeof(value));
	}
}

static void mmio_write(struct bus_range *range, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct virtio_dev *dev = container_of(range, struct mmio, range)->dev;
	const struct mmio_reg *reg = mmio_find(offset, size);
	uint32_t value;

	if (dev->config_writable && mmio_in_config(dev, &offset, size)) {
		memcpy((uint8_t *)dev->config + offset, data, size);
		if (dev->ops->configured)
			dev->ops->configured(dev, (uint32_t)offset, size);
		return;
	}
	if (size != sizeof(value))
		return;
	memcpy(&value, data, sizeof(value));
	value = le32toh(value);
	if (reg && reg->write)
		reg->write(dev, value);
	else
		mmio_set_address(dev, offset, value);
}

bool mmio_is_lockless(uint64_t gpa)
{
	uint64_t offset = (gpa - MMIO_BASE) % MMIO_SIZE;

	return gpa >= MMIO_BASE && gpa < MMIO_BASE + MMIO_SLOTS * MMIO_SIZE &&
	       (offset == VIRTIO_MMIO_INTERRUPT_STATUS || offset == VIRTIO_MMIO_INTERRUPT_ACK);
}

/* The eventfd is watched edge-triggered, so its counter is never read; each notification is an
 * edge. */
static void mmio_kicked(struct watch *w, uint32_t events)
{
	(void)events;
	virtio_kicked(container_of(w, struct mmio, kicked)->dev);
}

static int mmio_init_kick(struct mmio *m, struct err *e)
{
	m->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->kick_fd < 0)
		return err_sys(e, "make the notifications of device '%s'", m->dev->ops->name);
	m->dev->kick_fd = m->kick_fd;
	return loop_watch(m->dev->loop, &m->kicked, m->kick_fd, EPOLLIN | EPOLLET, mmio_kicked, e);
}

int mmio_init(struct mmio *m, struct virtio_dev *dev, unsigned slot, struct bus *bus, struct err *e)
{
	assert(slot < MMIO_SLOTS);
	*m = (struct mmio){
		.range = { MMIO_BASE + slot * MMIO_SIZE, MMIO_SIZE, mmio_read, mmio_write },
		.dev = dev,
		.kick_fd = -1,
	};
	if (dev->loop && mmio_init_kick(m, e)) {
		mmio_close(m);
		return -1;
	}
	bus_add(bus, &m->range);
	return 0;
}

void mmio_close(struct mmio *m)
{
	m->dev->kick_fd = -1;
	if (m->dev->loop)
		loop_unwatch(m->dev->loop, &m->kicked);
	fd_close(&m->kick_fd);
}
