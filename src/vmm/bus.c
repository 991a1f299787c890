#include "vmm/bus.h"

#include <string.h>

static struct bus_range *bus_find(const struct bus *b, uint64_t at, unsigned size)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct bus_range *r = b->ranges[i];

		if (at >= r->base && at - r->base < r->size && size <= r->size - (at - r->base))
			return r;
	}
	return NULL;
}

void bus_add(struct bus *b, struct bus_range *r)
{
	assert(b->n < BUS_MAX && r->size && r->base + r->size > r->base);
	for (unsigned i = 0; i < b->n; i++)
		assert(r->base + r->size <= b->ranges[i]->base ||
		       b->ranges[i]->base + b->ranges[i]->size <= r->base);
	b->ranges[b->n++] = r;
}

void bus_read(const struct bus *b, uint64_t at, uint8_t *data, unsigned size)
{
	struct bus_range *r = bus_find(b, at, size);

	memset(data, 0xff, size);
	if (r && r->read)
		r->read(r, at - r->base, data, size);
}

void bus_write(const struct bus *b, uint64_t at, const uint8_t *data, unsigned size)
{
	struct bus_range *r = bus_find(b, at, size);

	if (r && r->write)
		r->write(r, at - r->base, data, size);
}
