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

/* Device number @slot on the board: its range on the bus, its eventfd watched by the device's
 * loop (a device without a loop has none). */
int mmio_init(struct mmio *m, struct virtio_dev *dev, unsigned slot, struct bus *bus,
	      struct err *e) must_check;
void mmio_close(struct mmio *m);

/* Whether an access to this guest address needs no lock of the devices: the two interrupt
 * registers, which a guest reads and writes at every interrupt. */
bool mmio_is_lockless(uint64_t gpa);

#endif
