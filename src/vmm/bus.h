/* bus.h - finds the device for an address outside memory that a vCPU reads or writes.
 *
 * There are two buses: MMIO addresses and I/O ports.  They are filled while the board is made, and
 * fixed afterwards.  Where no device answers, a read gives ones and a write is lost, as on real
 * boards. */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include "base/base.h"

#define BUS_MAX 16

/* Embedded in a device, found again by container_of.  @offset is inside the range, and so is
 * offset + size; size is 1, 2, 4 or 8.  Called under the lock of the devices. */
struct bus_range {
	uint64_t base, size;
	void (*read)(struct bus_range *r, uint64_t offset, uint8_t *data, unsigned size);
	void (*write)(struct bus_range *r, uint64_t offset, const uint8_t *data, unsigned size);
};

struct bus {
	struct bus_range *ranges[BUS_MAX]; /* borrowed */
	unsigned n;
};

void bus_add(struct bus *b, struct bus_range *r); /* aborts on overlapping ranges */
void bus_read(const struct bus *b, uint64_t at, uint8_t *data, unsigned size);
void bus_write(const struct bus *b, uint64_t at, const uint8_t *data, unsigned size);

#endif
