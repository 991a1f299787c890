#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/bus.h"

struct probe {
	struct bus_range range;
	uint64_t offset;
	uint8_t last;
};

static void probe_read(struct bus_range *r, uint64_t offset, uint8_t *data, unsigned size)
{
	container_of(r, struct probe, range)->offset = offset;
	memset(data, 0x5a, size);
}

static void probe_write(struct bus_range *r, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct probe *p = container_of(r, struct probe, range);

	p->offset = offset;
	p->last = data[size - 1];
}

static struct probe low = { .range = { 0x100, 0x10, probe_read, probe_write } };
static struct probe high = { .range = { 0x200, 0x10, probe_read, NULL } };

static struct bus both(void)
{
	struct bus b = { 0 };

	bus_add(&b, &low.range);
	bus_add(&b, &high.range);
	return b;
}

static void an_access_reaches_its_device_with_its_offset(void **state)
{
	struct bus b = both();
	uint8_t data[4] = { 0 };

	(void)state;
	bus_read(&b, 0x10c, data, 4);
	assert_int_equal(low.offset, 0xc);
	assert_int_equal(data[3], 0x5a);
	bus_write(&b, 0x100, (const uint8_t[]){ 7 }, 1);
	assert_int_equal(low.offset, 0);
	assert_int_equal(low.last, 7);
}

static void nobody_reads_as_ones_and_takes_no_write(void **state)
{
	static const uint64_t nobody[] = { 0, 0xff, 0x10d, 0x110, 0x20e, ~0ULL };
	struct bus b = both();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nobody); i++) {
		uint8_t data[4] = { 0 };

		low.last = 1;
		bus_read(&b, nobody[i], data, 4);
		bus_write(&b, nobody[i], data, 4);
		assert_int_equal(data[0] & data[1] & data[2] & data[3], 0xff);
		assert_int_equal(low.last, 1);
	}
	bus_write(&b, 0x200, (const uint8_t[]){ 7 }, 1); /* a range that cannot be written */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_access_reaches_its_device_with_its_offset),
		cmocka_unit_test(nobody_reads_as_ones_and_takes_no_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
