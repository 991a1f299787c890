#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "driver.h"
#include "vmm/dev/rng.h"
#include "vmm/virtio/core.h"

static struct driver d;
static struct rng rng;

static int open_rng(void **state)
{
	struct err e;

	(void)state;
	driver_open(&d);
	assert_int_equal(rng_init(&rng, NULL, &d.mem, &e), 0);
	driver_attach(&d, &rng.dev);
	driver_start(&d, 1ULL << VIRTIO_RING_F_EVENT_IDX);
	return 0;
}

static int close_rng(void **state)
{
	(void)state;
	driver_close(&d);
	rng_close(&rng);
	return 0;
}

static void the_guest_gets_bytes_and_no_two_rows_are_alike(void **state)
{
	struct driver_part parts[] = { { driver_alloc(&d, 32), 13, true },
				       { driver_alloc(&d, 32), 19, true } };
	uint8_t rows[2][32];
	uint32_t head, size;

	(void)state;
	for (int i = 0; i < 2; i++) {
		driver_send(&d, 0, parts, 2);
		assert_true(driver_used(&d, 0, &head, &size));
		assert_int_equal(size, 32);
		memcpy(rows[i], driver_at(&d, parts[0].gpa), 13);
		memcpy(rows[i] + 13, driver_at(&d, parts[1].gpa), 19);
	}
	assert_memory_not_equal(rows[0], rows[1], 13);
	assert_memory_not_equal(rows[0] + 13, rows[1] + 13, 19);
	assert_true(driver_interrupted(&d));
}

static void one_request_gets_64_kib_at_most(void **state)
{
	struct driver_part parts[] = { { 0x80000, 0x80000, true }, { 0x80000, 0x80000, true } };
	uint32_t head, size;

	(void)state;
	driver_send(&d, 0, parts, 2);
	assert_true(driver_used(&d, 0, &head, &size));
	assert_int_equal(size, RNG_MAX);
	assert_int_equal(*(uint8_t *)driver_at(&d, 0x80000 + RNG_MAX), 0);
}

static void a_request_with_something_to_read_is_a_guest_fault(void **state)
{
	struct driver_part out = { driver_alloc(&d, 32), 16, false };

	(void)state;
	driver_send(&d, 0, &out, 1);
	assert_true(driver_read(&d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void a_restored_one_goes_on(void **state)
{
	struct driver_part part = { driver_alloc(&d, 32), 32, true };
	autobuf struct buf b = { 0 };
	uint32_t head, size;
	struct err e;

	(void)state;
	driver_offer(&d, 0, &part, 1);
	virtio_drain(&rng.dev);
	virtio_save(&rng.dev, 0, &b);
	mmio_close(&d.mmio);
	rng_close(&rng);
	assert_int_equal(rng_init(&rng, NULL, &d.mem, &e), 0);
	driver_attach(&d, &rng.dev);
	assert_int_equal(virtio_load(&rng.dev, 0, &(struct rows){ b.data, b.size, 0 }, &e), 0);
	assert_false(driver_used(&d, 0, &head, &size));
	virtio_resume(&rng.dev);
	assert_true(driver_used(&d, 0, &head, &size));
	assert_int_equal(size, 32);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rng, close_rng)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_guest_gets_bytes_and_no_two_rows_are_alike),
		TEST(one_request_gets_64_kib_at_most),
		TEST(a_request_with_something_to_read_is_a_guest_fault),
		TEST(a_restored_one_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
