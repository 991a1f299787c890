/* core.h - the core of all virtio devices.
 *
 * With virtio/mmio.c before it, it handles what they share: status, features, config space, queues,
 * interrupt state, their saved form, and reset (virtio 1.2, 4.2).  It calls a device through its
 * struct virtio_ops (virtio/device.h), in the threads that are named there. */
#ifndef VMM_VIRTIO_CORE_H
#define VMM_VIRTIO_CORE_H

#include "vmm/virtio/device.h"

/* The driver's writes to the common registers (virtio/mmio.c). */
void virtio_set_status(struct virtio_dev *dev, uint32_t status);
void virtio_notify(struct virtio_dev *dev, unsigned q);
/* Called in the loop after a notification, for any queue or for this one. */
void virtio_kicked(struct virtio_dev *dev);
void virtio_kick(struct virtio_dev *dev, unsigned q);
/* For kick(), which must not continue for as long as the guest offers chains: call it again after
 * the loop has served everything else. */
void virtio_kick_later(const struct virtio_dev *dev);

/* The vCPUs must be stopped.  Between the two calls nothing is in flight or held, no queue gives a
 * chain, and no memory of the guest is touched.  virtio_resume calls kick() for the queues in which
 * the guest left something. */
void virtio_drain(struct virtio_dev *dev);
void virtio_resume(struct virtio_dev *dev);

/* Write all of a drained device as one record.  A loaded device is drained, and continues where the
 * saved one stopped. */
void virtio_save(struct virtio_dev *dev, uint32_t index, struct buf *to);
int virtio_load(struct virtio_dev *dev, uint32_t index, struct rows *rows,
		struct err *e) must_check;

#endif
