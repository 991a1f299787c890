#include "vmm/virtio/device.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"

#define CORE_FEATURES                                                       \
	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC | \
	 1ULL << VIRTIO_RING_F_EVENT_IDX)
#define FAULTS_LOGGED 3

int virtio_init(struct virtio_dev *dev, const struct virtio_ops *ops, struct loop *l,
		const struct mem *mem, struct err *e)
{
	assert(ops->n_queues <= VIRTIO_QUEUES);
	dev->ops = ops;
	dev->loop = l;
	dev->mem = mem;
	for (unsigned q = 0; q < VIRTIO_QUEUES; q++)
		dev->vq[q] = (struct vq){ .dev = dev, .mem = mem };
	dev->kick_fd = -1;
	dev->irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dev->irq_fd < 0)
		return err_sys(e, "make the interrupt of device '%s'", ops->name);
	return 0;
}

void virtio_close(struct virtio_dev *dev)
{
	fd_close(&dev->irq_fd);
}

uint64_t virtio_offered(const struct virtio_dev *dev)
{
	return dev->ops->features | CORE_FEATURES;
}

bool virtio_has(const struct virtio_dev *dev, unsigned feature)
{
	return dev->driver_features >> feature & 1;
}

bool virtio_runs(const struct virtio_dev *dev)
{
	return dev->status & VIRTIO_CONFIG_S_DRIVER_OK &&
	       !(dev->status & VIRTIO_CONFIG_S_NEEDS_RESET) && !dev->drained;
}

void virtio_interrupt(struct virtio_dev *dev, uint32_t cause)
{
	static const uint64_t one = 1;

	atomic_fetch_or(&dev->isr, cause);
	(void)!write(dev->irq_fd, &one, sizeof(one)); /* full: it is raised already */
}

void virtio_config_changed(struct virtio_dev *dev)
{
	dev->config_generation++;
	if (dev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		virtio_interrupt(dev, VIRTIO_MMIO_INT_CONFIG);
}

void virtio_fault(struct virtio_dev *dev, const char *why)
{
	bool told = dev->status & VIRTIO_CONFIG_S_DRIVER_OK;

	if (dev->faults++ < FAULTS_LOGGED)
		log_warn("a guest broke a device's rules device=%s why='%s'", dev->ops->name, why);
	for (unsigned q = 0; q < VIRTIO_QUEUES; q++)
		vq_stop(&dev->vq[q]);
	dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (told)
		virtio_interrupt(dev, VIRTIO_MMIO_INT_CONFIG);
}
