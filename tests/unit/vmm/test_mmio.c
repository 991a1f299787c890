#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "driver.h"
#include "echo.h"

static struct driver d;
static struct echo echo;

static int open_echo(void **state)
{
	(void)state;
	driver_open(&d);
	echo_open(&echo, NULL, &d.mem);
	driver_attach(&d, &echo.dev);
	return 0;
}

static int close_echo(void **state)
{
	(void)state;
	driver_close(&d);
	virtio_close(&echo.dev);
	return 0;
}

static void a_driver_finds_out_what_the_device_is(void **state)
{
	static const struct {
		uint32_t reg, value;
	} expected[] = {
		{ VIRTIO_MMIO_MAGIC_VALUE, 0x74726976 },
		{ VIRTIO_MMIO_VERSION, 2 },
		{ VIRTIO_MMIO_DEVICE_ID, 42 },
		{ VIRTIO_MMIO_DEVICE_FEATURES, 1 << ECHO_FEATURE |
						       1 << VIRTIO_RING_F_INDIRECT_DESC |
						       1 << VIRTIO_RING_F_EVENT_IDX },
		{ VIRTIO_MMIO_QUEUE_NUM_MAX, VQ_SIZE_MAX },
		{ VIRTIO_MMIO_QUEUE_READY, 0 },
		{ VIRTIO_MMIO_STATUS, 0 },
		{ VIRTIO_MMIO_SHM_LEN_LOW, 0xffffffff },
		{ VIRTIO_MMIO_QUEUE_NOTIFY, 0 }, /* write-only, as the next */
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, 0 },
		{ 0x0fe, 0 }, /* none */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(driver_read(&d, expected[i].reg), expected[i].value);
	driver_write(&d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_DEVICE_FEATURES), 1);
	driver_write(&d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 77);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	driver_write(&d, VIRTIO_MMIO_QUEUE_SEL, 2);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	driver_write(&d, VIRTIO_MMIO_QUEUE_READY, 1);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_QUEUE_READY), 0);
}

static void features_that_were_not_offered_or_without_version_1_are_not_agreed(void **state)
{
	static const uint32_t wrong[][2] = { { 0, 0 }, { 1, 1 }, { 0, 3 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		driver_write(&d, VIRTIO_MMIO_STATUS, 0);
		for (uint32_t half = 0; half < 2; half++) {
			driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
			driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES, wrong[i][half]);
		}
		driver_write(&d, VIRTIO_MMIO_STATUS, 3);
		driver_write(&d, VIRTIO_MMIO_STATUS, 3 | VIRTIO_CONFIG_S_FEATURES_OK);
		assert_int_equal(driver_read(&d, VIRTIO_MMIO_STATUS), 3);
		driver_write(&d, VIRTIO_MMIO_STATUS, 0xf); /* nor does it run */
		assert_int_equal(driver_read(&d, VIRTIO_MMIO_STATUS), 3);
	}
}

static void a_queue_is_fixed_from_driver_ok_to_the_reset(void **state)
{
	static const uint32_t regs[] = { VIRTIO_MMIO_QUEUE_READY,     VIRTIO_MMIO_QUEUE_NUM,
					 VIRTIO_MMIO_QUEUE_DESC_LOW,  VIRTIO_MMIO_QUEUE_DESC_HIGH,
					 VIRTIO_MMIO_QUEUE_AVAIL_LOW, VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
					 VIRTIO_MMIO_QUEUE_USED_LOW,  VIRTIO_MMIO_QUEUE_USED_HIGH,
					 VIRTIO_MMIO_DRIVER_FEATURES };
	struct virtio_dev before;

	(void)state;
	driver_start(&d, 0);
	driver_write(&d, VIRTIO_MMIO_QUEUE_SEL, 0);
	before = echo.dev;
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		for (uint32_t value = 0; value < 0x100000; value = value * 2 + 1)
			driver_write(&d, regs[i], value);
	assert_memory_equal(&before.vq, &echo.dev.vq, sizeof(before.vq));
	assert_true(before.driver_features == echo.dev.driver_features);
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	assert_false(echo.dev.vq[0].ready || echo.dev.vq[0].running || echo.dev.vq[0].size);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_STATUS), 0);
}

static void status_bits_are_only_added_and_the_devices_own_cannot_be_set(void **state)
{
	(void)state;
	driver_start(&d, 0);
	driver_write(&d, VIRTIO_MMIO_STATUS, 1);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_STATUS), 0xf);
	driver_write(&d, VIRTIO_MMIO_STATUS, 0xffffffff);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_STATUS), 0xf | VIRTIO_CONFIG_S_FAILED);
	assert_int_equal(echo.starts, 1);
}

static void an_interrupt_stands_until_it_is_acknowledged(void **state)
{
	(void)state;
	driver_start(&d, 0);
	virtio_config_changed(&echo.dev);
	virtio_interrupt(&echo.dev, VIRTIO_MMIO_INT_VRING);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	driver_write(&d, VIRTIO_MMIO_INTERRUPT_ACK, 1);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS), 2);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_CONFIG_GENERATION), 1);
}

static void two_registers_need_no_lock(void **state)
{
	(void)state;
	assert_true(mmio_is_lockless(MMIO_BASE + VIRTIO_MMIO_INTERRUPT_STATUS));
	assert_true(mmio_is_lockless(MMIO_BASE + 7 * MMIO_SIZE + VIRTIO_MMIO_INTERRUPT_ACK));
	assert_false(mmio_is_lockless(MMIO_BASE + MMIO_SLOTS * MMIO_SIZE + 0x60));
	assert_false(mmio_is_lockless(MMIO_BASE - MMIO_SIZE + 0x60));
	assert_false(mmio_is_lockless(MMIO_BASE + VIRTIO_MMIO_STATUS));
	assert_false(mmio_is_lockless(0x60));
}

static void the_config_space_is_read_in_any_size_and_written_where_it_may_be(void **state)
{
	uint8_t data[8];

	(void)state;
	echo.config[0] = 0x04030201;
	echo.config[1] = 0x08070605;
	bus_read(&d.bus, MMIO_BASE + 0x100, data, 8);
	assert_memory_equal(data, "\1\2\3\4\5\6\7\10", 8);
	bus_read(&d.bus, MMIO_BASE + 0x107, data, 1);
	assert_int_equal(data[0], 8);
	bus_read(&d.bus, MMIO_BASE + 0x106, data, 4); /* half outside */
	assert_memory_equal(data, "\0\0\0\0", 4);
	bus_write(&d.bus, MMIO_BASE + 0x104, data, 4);
	assert_int_equal(echo.config[1], 0x08070605);
	echo.dev.config_writable = true;
	bus_write(&d.bus, MMIO_BASE + 0x104, data, 2);
	assert_int_equal(echo.config[1], 0x08070000);
	assert_int_equal(echo.configured, 402);
	bus_write(&d.bus, MMIO_BASE + 0x106, data, 4);
	bus_write(&d.bus, MMIO_BASE + 0xff8, data, 8);
	assert_int_equal(echo.configured, 402);
}

static void accesses_of_another_size_touch_no_register(void **state)
{
	uint8_t data[8] = { 0xff, 0xff };

	(void)state;
	driver_start(&d, 0);
	bus_write(&d.bus, MMIO_BASE + VIRTIO_MMIO_STATUS, (const uint8_t *)"\0\0\0\0\0\0\0", 8);
	bus_write(&d.bus, MMIO_BASE + VIRTIO_MMIO_STATUS, (const uint8_t *)"", 1);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_STATUS), 0xf);
	bus_read(&d.bus, MMIO_BASE + VIRTIO_MMIO_STATUS, data, 2);
	assert_int_equal(data[0] | data[1], 0);
}

static struct loop *loop;

static void stop(struct timer *t)
{
	(void)t;
	loop_stop(loop);
}

static void each_notification_of_the_kernel_reaches_the_device_in_its_loop(void **state)
{
	static const uint64_t one = 1;
	struct driver_part part = { 0x1000, 1, true };
	struct driver k;
	struct echo heard;
	struct err e;

	(void)state;
	loop = loop_new(&e);
	assert_non_null(loop);
	driver_open(&k);
	echo_open(&heard, loop, &k.mem);
	driver_attach(&k, &heard.dev);
	driver_start(&k, 0);
	for (unsigned i = 1; i <= 3; i++) {
		struct timer soon = { 0 };

		driver_offer(&k, 1, &part, 1);
		assert_int_equal(write(k.mmio.kick_fd, &one, sizeof(one)), sizeof(one));
		loop_timer(loop, &soon, 0, stop);
		assert_int_equal(loop_run(loop, &e), 0);
		assert_int_equal(heard.served, i);
	}
	driver_close(&k);
	virtio_close(&heard.dev);
	loop_free(loop);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_echo, close_echo)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_driver_finds_out_what_the_device_is),
		TEST(features_that_were_not_offered_or_without_version_1_are_not_agreed),
		TEST(a_queue_is_fixed_from_driver_ok_to_the_reset),
		TEST(status_bits_are_only_added_and_the_devices_own_cannot_be_set),
		TEST(an_interrupt_stands_until_it_is_acknowledged),
		TEST(two_registers_need_no_lock),
		TEST(the_config_space_is_read_in_any_size_and_written_where_it_may_be),
		TEST(accesses_of_another_size_touch_no_register),
		TEST(each_notification_of_the_kernel_reaches_the_device_in_its_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
