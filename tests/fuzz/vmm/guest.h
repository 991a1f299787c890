/* guest.h - a hostile guest for the fuzzers of devices: 64 KiB of memory and a device's registers.
 *
 * The input is a row of steps, one byte what to do and its operands behind:
 *   0  write a register: offset (2 bytes), value (4)
 *   1  read a register: offset (2)
 *   2  write memory: address (2), length (1), that many bytes
 *   3  kick a queue: its number (1)
 *   4  a chain as a driver makes it: queue (1), parts (1), for each address (2), length (2), in (1)
 *   5  drain, save, load, resume
 *   6  the handshake of a proper driver, so that much is reached from little: features (1)
 * An end of the input in the middle of a step ends it. */
#ifndef FUZZ_VMM_GUEST_H
#define FUZZ_VMM_GUEST_H

#include "vmm/virtio/mmio.h"

#define GUEST_MEMORY (64 * KIB)

struct guest {
	struct mem mem;
	struct virtio_dev *dev; /* borrowed */
	struct bus bus;
	struct mmio mmio;
	const uint8_t *at; /* the input that is left */
	size_t left;
};

/* Memory alone; then, when the device is made over it, all the steps.  @after comes after each. */
void guest_open(struct guest *g);
void guest_play(struct guest *g, struct virtio_dev *dev, const uint8_t *data, size_t size,
		void (*after)(struct virtio_dev *dev));
void guest_close(struct guest *g); /* before the device is closed */

#endif
