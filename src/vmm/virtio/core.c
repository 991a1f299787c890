#include "vmm/virtio/core.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/virtio/queue.h"

#define DRIVER_STATUS                                                         \
	((uint32_t)(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |    \
		    VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK | \
		    VIRTIO_CONFIG_S_FAILED))
#define RECORD_VERSION 1

/* The driver's view of a reset. */
static void virtio_clear(struct virtio_dev *dev)
{
	for (unsigned q = 0; q < VIRTIO_QUEUES; q++)
		dev->vq[q] = (struct vq){ .dev = dev, .mem = dev->mem };
	dev->driver_features = 0;
	dev->features_sel = dev->driver_features_sel = dev->queue_sel = 0;
	dev->status = 0;
	dev->drained = dev->unstarted = false;
	atomic_store(&dev->isr, 0);
}

static void virtio_reset(struct virtio_dev *dev)
{
	dev->unreset = false;
	if (dev->ops->reset)
		dev->ops->reset(dev);
	virtio_clear(dev);
}

/* The queues are fixed from here on until a reset. */
static bool virtio_latch(struct virtio_dev *dev)
{
	for (unsigned q = 0; q < dev->ops->n_queues; q++) {
		struct vq *vq = &dev->vq[q];

		vq->indirect = virtio_has(dev, VIRTIO_RING_F_INDIRECT_DESC);
		vq->event_idx = virtio_has(dev, VIRTIO_RING_F_EVENT_IDX);
		if (vq->ready && !vq_start(vq))
			return false;
	}
	return true;
}

static void virtio_start(struct virtio_dev *dev)
{
	if (dev->ops->start)
		dev->ops->start(dev);
	for (unsigned q = 0; q < dev->ops->n_queues; q++)
		if (dev->vq[q].waiting)
			virtio_kick(dev, q);
}

static bool virtio_features_fit(const struct virtio_dev *dev)
{
	return virtio_has(dev, VIRTIO_F_VERSION_1) &&
	       !(dev->driver_features & ~virtio_offered(dev));
}

/* Bits are only ever added; 0 is a reset. */
void virtio_set_status(struct virtio_dev *dev, uint32_t status)
{
	uint32_t added = status & DRIVER_STATUS & ~dev->status;

	if (!status) {
		if (dev->ops->settle)
			dev->ops->settle(dev);
		virtio_clear(dev);
		dev->unreset = true;
		virtio_notify(dev, 0);
		return;
	}
	if (added & VIRTIO_CONFIG_S_FEATURES_OK && !virtio_features_fit(dev))
		added &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	if (!((dev->status | added) & VIRTIO_CONFIG_S_FEATURES_OK))
		added &= ~(uint32_t)VIRTIO_CONFIG_S_DRIVER_OK;
	dev->status |= added;
	if (!(added & VIRTIO_CONFIG_S_DRIVER_OK) || !virtio_runs(dev))
		return;
	dev->unstarted = true;
	virtio_notify(dev, 0);
}

/* Apply to the device what the driver did to the registers. */
static void virtio_hear(struct virtio_dev *dev)
{
	if (dev->unreset && dev->ops->reset)
		dev->ops->reset(dev);
	dev->unreset = false;
	if (!dev->unstarted || !virtio_runs(dev))
		return;
	dev->unstarted = false;
	if (!virtio_latch(dev)) {
		virtio_fault(dev, "a queue whose size or addresses make no sense");
		return;
	}
	for (unsigned q = 0; q < dev->ops->n_queues; q++)
		dev->vq[q].waiting = true; /* some drivers fill a queue first */
	virtio_start(dev);
}

/* Without a loop there is one thread alone. */
void virtio_notify(struct virtio_dev *dev, unsigned q)
{
	if (dev->kick_fd >= 0)
		virtio_kick_later(dev);
	else
		virtio_kick(dev, q);
}

void virtio_kick(struct virtio_dev *dev, unsigned q)
{
	virtio_hear(dev);
	if (q >= dev->ops->n_queues || !dev->vq[q].running)
		return;
	if (dev->drained)
		dev->vq[q].waiting = true;
	else
		dev->ops->kick(dev, q);
}

void virtio_kicked(struct virtio_dev *dev)
{
	virtio_hear(dev);
	for (unsigned q = 0; q < dev->ops->n_queues; q++)
		virtio_kick(dev, q);
}

void virtio_drain(struct virtio_dev *dev)
{
	if (dev->drained)
		return;
	virtio_hear(dev);
	if (dev->ops->drain)
		dev->ops->drain(dev);
	dev->drained = true;
	for (unsigned q = 0; q < VIRTIO_QUEUES; q++) {
		struct vq *vq = &dev->vq[q];

		assert(!vq->held);
		vq_notify(vq);
		vq->waiting = vq_is_waiting(vq);
	}
}

void virtio_kick_later(const struct virtio_dev *dev)
{
	static const uint64_t one = 1;

	if (dev->kick_fd >= 0)
		(void)!write(dev->kick_fd, &one, sizeof(one));
}

/* KVM delivers the interrupt of an irqfd asynchronously.  One that the driver has not acknowledged
 * may be missing in the saved state of the interrupt controllers, so it is raised again. */
void virtio_resume(struct virtio_dev *dev)
{
	if (!dev->drained)
		return;
	dev->drained = false;
	if (atomic_load(&dev->isr))
		virtio_interrupt(dev, 0);
	if (virtio_runs(dev))
		virtio_start(dev);
}

/* The core's tags are 0x8000 and more, a device's own are less.  All queues are saved, used or not,
 * so that the format does not depend on their number. */
#define TAG_CONFIG 0x8010
#define TAG_QUEUE  0x8100
#define QUEUE(q)   SNAP_ROW(TAG_QUEUE + (q), struct virtio_dev, vq[q].desc_gpa, vq[q].waiting)

static const struct snap_field virtio_saved[] = {
	SNAP_ROW(0x8001, struct virtio_dev, driver_features, isr), /* the driver's view */
	QUEUE(0),
	QUEUE(1),
	QUEUE(2),
	QUEUE(3),
	SNAP_END,
};
static_assert(VIRTIO_QUEUES == 4, "one row above for each");
static_assert(offsetof(struct virtio_dev, isr) == offsetof(struct virtio_dev, driver_features) + 28,
	      "nothing between them");
static_assert(offsetof(struct vq, waiting) == offsetof(struct vq, desc_gpa) + 31, "likewise");

void virtio_save(struct virtio_dev *dev, uint32_t index, struct buf *to)
{
	const struct snap_field config[] = { { TAG_CONFIG, (uint16_t)dev->config_size, 0 },
					     SNAP_END };
	size_t mark = record_begin(to, dev->ops->tag, index, RECORD_VERSION);

	assert(dev->drained);
	snap_put(to, virtio_saved, dev);
	if (dev->config_size)
		snap_put(to, config, dev->config);
	if (dev->ops->saved)
		snap_put(to, dev->ops->saved, dev);
	record_end(to, mark);
}

static bool virtio_state_fits(struct virtio_dev *dev)
{
	bool features_ok = dev->status & VIRTIO_CONFIG_S_FEATURES_OK;

	if (dev->status & ~(DRIVER_STATUS | VIRTIO_CONFIG_S_NEEDS_RESET) ||
	    dev->isr & ~(uint32_t)(VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG))
		return false;
	if (features_ok ? !virtio_features_fit(dev) : dev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		return false;
	return !dev->ops->loaded || dev->ops->loaded(dev);
}

/* A byte of a file may be no valid bool, so any value except 0 is made true. */
static void virtio_read_bools(struct virtio_dev *dev)
{
	for (unsigned q = 0; q < VIRTIO_QUEUES; q++) {
		uint8_t ready, waiting;

		memcpy(&ready, &dev->vq[q].ready, 1);
		memcpy(&waiting, &dev->vq[q].waiting, 1);
		dev->vq[q].ready = ready != 0;
		dev->vq[q].waiting = waiting != 0;
	}
}

static int virtio_load_fields(struct virtio_dev *dev, const struct record *r, struct err *e)
{
	const struct snap_field config[] = { { TAG_CONFIG, (uint16_t)dev->config_size, 0 },
					     SNAP_END };

	if (snap_get(r->data, r->size, virtio_saved, dev, e))
		return -1;
	virtio_read_bools(dev);
	if (dev->config_size && snap_get(r->data, r->size, config, dev->config, e))
		return -1;
	if (dev->ops->saved && snap_get(r->data, r->size, dev->ops->saved, dev, e))
		return -1;
	dev->drained = false; /* so that virtio_runs says what will be */
	if (!virtio_state_fits(dev) || (virtio_runs(dev) && !virtio_latch(dev)))
		return err_set(e, ERR_INVALID, "the snapshot's state of device '%s' makes no sense",
			       dev->ops->name);
	return 0;
}

int virtio_load(struct virtio_dev *dev, uint32_t index, struct rows *rows, struct err *e)
{
	struct record r;

	if (record_find(rows, dev->ops->tag, index, RECORD_VERSION, &r, e))
		return -1;
	virtio_reset(dev);
	if (virtio_load_fields(dev, &r, e)) {
		virtio_reset(dev);
		return -1;
	}
	dev->drained = true;
	return 0;
}
