/* mmio.h - the registers of a virtio device (virtio 1.2, 4.2.2), version 2. */
#ifndef VMM_VIRTIO_MMIO_H
#define VMM_VIRTIO_MMIO_H

#include "vmm/bus.h"
#include "vmm/virtio/device.h"

#define MMIO_BASE 0xd0000000ULL
#define MMIO_SIZE 0x1000ULL
/* QueueNotify: an ioeventfd for each queue takes the place of the write */
#define MMIO_NOTIFY 0x50

struct mmio {
	struct bus_range range;
	struct virtio_dev *dev;            /* borrowed */
	struct watch kicks[VIRTIO_QUEUES]; /* of kick_fds */
	int kick_fds[VIRTIO_QUEUES];       /* owned eventfds, for KVM_IOEVENTFD; -1: none */
};

/* Device number @slot on the board: its range on the bus, its eventfds watched by the device's
 * loop. */
int mmio_init(struct mmio *m, struct virtio_dev *dev, unsigned slot, struct bus *bus,
	      struct err *e) must_check;
void mmio_close(struct mmio *m);

#endif
