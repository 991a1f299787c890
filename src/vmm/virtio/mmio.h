/* mmio.h - the registers of a virtio device (virtio 1.2, 4.2.2), version 2. */
#ifndef VMM_VIRTIO_MMIO_H
#define VMM_VIRTIO_MMIO_H

#include "vmm/bus.h"
#include "vmm/virtio/device.h"

#define MMIO_BASE   0xd0000000ULL
#define MMIO_SIZE   0x1000ULL
#define MMIO_SLOTS  8
#define MMIO_NOTIFY 0x50 /* an ioeventfd takes the place of this write */

struct mmio {
	struct bus_range range;
	struct virtio_dev *dev; /* borrowed */
	struct watch kicked;    /* of kick_fd */
	int kick_fd;            /* owned eventfd, for KVM_IOEVENTFD; -1: none */
};

/* Put device number @slot on the board: add its range to the bus, and watch its eventfd in the
 * device's loop.  A device without a loop has no eventfd. */
int mmio_init(struct mmio *m, struct virtio_dev *dev, unsigned slot, struct bus *bus,
	      struct err *e) must_check;
void mmio_close(struct mmio *m);

/* Does an access to this guest address need no lock of the devices?  This is so for the two
 * interrupt registers, which a guest uses at every interrupt. */
bool mmio_is_lockless(uint64_t gpa);

#endif
