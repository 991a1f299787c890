/* driver.h - plays a guest's driver in the tests of devices: 1 MiB of memory, the registers by the
 * bus, real rings.  What it cannot do fails the test (cmocka). */
#ifndef TESTS_VMM_DRIVER_H
#define TESTS_VMM_DRIVER_H

#include "vmm/virtio/mmio.h"

#define DRIVER_MEMORY (1 * MIB)
#define DRIVER_SIZE   16 /* of each queue */

/* One buffer of a chain; those that the device reads come first. */
struct driver_part {
	uint64_t gpa;
	uint32_t size;
	bool in; /* the device writes it */
};

struct driver_queue {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint64_t desc_gpa, avail_gpa, used_gpa;
	uint16_t next_desc; /* descriptors are taken in turn: at most DRIVER_SIZE under way */
	uint16_t next_used;
};

struct driver {
	struct mem mem;
	uint8_t *ram;           /* owned */
	uint64_t heap;          /* where driver_alloc goes on */
	struct virtio_dev *dev; /* borrowed */
	struct mmio mmio;
	struct bus bus;
	struct driver_queue q[VIRTIO_QUEUES];
	bool indirect; /* chains go in an indirect table */
};

void driver_open(struct driver *d);                           /* memory alone */
void driver_attach(struct driver *d, struct virtio_dev *dev); /* after virtio_init on d->mem */
void driver_close(struct driver *d);                          /* not the device */

uint32_t driver_read(struct driver *d, uint64_t offset);
void driver_write(struct driver *d, uint64_t offset, uint32_t value);

/* Reset, agree on these features and VERSION_1, lay out all queues; then DRIVER_OK. */
void driver_prepare(struct driver *d, uint64_t features);
void driver_start(struct driver *d, uint64_t features);

uint64_t driver_alloc(struct driver *d, uint64_t size); /* a guest address, aligned to 16 */
void *driver_at(struct driver *d, uint64_t gpa);

/* Make a chain available and answer its head; then tell the device. */
uint16_t driver_offer(struct driver *d, unsigned q, const struct driver_part *parts, unsigned n);
void driver_kick(struct driver *d, unsigned q);
uint16_t driver_send(struct driver *d, unsigned q, const struct driver_part *parts, unsigned n);

/* The next chain that came back, if any; with event_idx it asks for the next interrupt. */
bool driver_used(struct driver *d, unsigned q, uint32_t *head, uint32_t *size);
/* Whether the interrupt was raised since the last look; acknowledged as a driver does. */
bool driver_interrupted(struct driver *d);

#endif
