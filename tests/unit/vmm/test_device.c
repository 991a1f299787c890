/* Saving and loading what the core keeps of every device. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "driver.h"
#include "echo.h"
#include "vmm/virtio/core.h"
#include "vmm/virtio/queue.h"

#define INDIRECT  (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX (1ULL << VIRTIO_RING_F_EVENT_IDX)

static struct driver d;
static struct echo echo;
static struct driver_part part;

static int open_echo(void **state)
{
	(void)state;
	driver_open(&d);
	echo_open(&echo, NULL, &d.mem);
	driver_attach(&d, &echo.dev);
	part = (struct driver_part){ driver_alloc(&d, 16), 16, true };
	return 0;
}

static int close_echo(void **state)
{
	(void)state;
	driver_close(&d);
	virtio_close(&echo.dev);
	return 0;
}

static struct buf save(void)
{
	struct buf b = { 0 };

	virtio_drain(&echo.dev);
	virtio_save(&echo.dev, 3, &b);
	return b;
}

/* Another process: a fresh device over the same memory, the same driver. */
static int load_fresh(const struct buf *b, struct err *e)
{
	int result;

	mmio_close(&d.mmio);
	virtio_close(&echo.dev);
	echo_open(&echo, NULL, &d.mem);
	driver_attach(&d, &echo.dev);
	result = virtio_load(&echo.dev, 3, &(struct rows){ b->data, b->size, 0 }, e);
	assert_int_equal(echo.starts, 0); /* not before it is resumed */
	virtio_resume(&echo.dev);
	return result;
}

static void a_conversation_goes_on_over_a_restore_at_any_point(void **state)
{
	uint32_t head, size, back = 0;
	struct err e;

	(void)state;
	d.indirect = true;
	driver_start(&d, INDIRECT | EVENT_IDX);
	echo.config[0] = 77;
	for (uint32_t i = 0; i < 200; i++) {
		driver_offer(&d, i % 2, &part, 1);
		if (i % 3)
			driver_kick(&d, i % 2); /* else the kick is lost with the first process */
		if (i % 5 == 0) {
			autobuf struct buf b = save();

			assert_int_equal(load_fresh(&b, &e), 0);
		}
		driver_kick(&d, i % 2);
		while (driver_used(&d, i % 2, &head, &size))
			back++;
	}
	assert_int_equal(back, 200);
	assert_int_equal(echo.served, 200);
	assert_int_equal(echo.config[0], 77);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_STATUS), 0xf);
}

static void what_was_offered_before_a_save_is_seen_after_it_without_a_kick(void **state)
{
	struct err e;

	(void)state;
	driver_start(&d, EVENT_IDX);
	driver_offer(&d, 1, &part, 1);
	autobuf struct buf b = save();
	assert_int_equal(load_fresh(&b, &e), 0);
	assert_int_equal(echo.starts, 1);
	assert_int_equal(echo.served, 1);
	assert_true(driver_interrupted(&d));
}

static void a_restore_of_an_idle_device_writes_no_memory_and_raises_nothing(void **state)
{
	autofree uint8_t *before = xmalloc(DRIVER_MEMORY);
	struct err e;

	(void)state;
	driver_start(&d, EVENT_IDX);
	driver_send(&d, 0, &part, 1);
	assert_true(driver_interrupted(&d));
	autobuf struct buf b = save();
	memcpy(before, d.ram, DRIVER_MEMORY);
	assert_int_equal(load_fresh(&b, &e), 0);
	assert_memory_equal(before, d.ram, DRIVER_MEMORY);
	assert_false(driver_interrupted(&d));
}

static void an_interrupt_that_the_driver_has_not_seen_is_raised_again(void **state)
{
	struct err e;

	(void)state;
	driver_start(&d, EVENT_IDX);
	driver_send(&d, 0, &part, 1);
	autobuf struct buf b = save();
	assert_int_equal(load_fresh(&b, &e), 0);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	assert_true(driver_interrupted(&d));
}

static void a_device_that_waits_for_its_reset_or_its_driver_is_saved_as_such(void **state)
{
	struct err e;

	(void)state;
	autobuf struct buf fresh = save();
	assert_int_equal(load_fresh(&fresh, &e), 0);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_STATUS), 0);

	driver_prepare(&d, EVENT_IDX);
	autobuf struct buf half = save();
	assert_int_equal(load_fresh(&half, &e), 0);
	driver_write(&d, VIRTIO_MMIO_STATUS, 0xf);
	driver_send(&d, 0, &part, 1);
	assert_int_equal(echo.served, 1);

	virtio_fault(&echo.dev, "a test");
	autobuf struct buf broken = save();
	assert_int_equal(load_fresh(&broken, &e), 0);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_STATUS), 0x4f);
	driver_send(&d, 0, &part, 1);
	assert_int_equal(echo.served, 1);
}

static void a_drained_device_serves_nothing_until_it_is_resumed(void **state)
{
	struct vq_chain c;

	(void)state;
	driver_start(&d, EVENT_IDX);
	virtio_drain(&echo.dev);
	assert_false(virtio_runs(&echo.dev));
	driver_send(&d, 0, &part, 1);
	assert_int_equal(echo.served, 0);
	assert_false(vq_pop(&echo.dev.vq[0], &c));
	virtio_resume(&echo.dev);
	assert_int_equal(echo.served, 1);

	driver_offer(&d, 1, &part, 1);
	virtio_drain(&echo.dev);
	assert_int_equal(echo.served, 1);
	virtio_resume(&echo.dev);
	assert_int_equal(echo.served, 2);
	assert_int_equal(echo.starts, 3);
}

/* What a file may say that no device ever was. */
static void spoil_size(struct virtio_dev *dev)
{
	dev->vq[0].size = 3;
}

static void spoil_address(struct virtio_dev *dev)
{
	dev->vq[1].used_gpa = DRIVER_MEMORY;
}

static void spoil_features(struct virtio_dev *dev)
{
	dev->driver_features |= 1ULL << 40;
}

static void spoil_status(struct virtio_dev *dev)
{
	dev->status |= 0x100;
}

static void spoil_order(struct virtio_dev *dev)
{
	dev->status = VIRTIO_CONFIG_S_DRIVER_OK;
}

static void spoil_isr(struct virtio_dev *dev)
{
	dev->isr = 4;
}

static void a_state_that_makes_no_sense_is_refused_and_the_device_is_off(void **state)
{
	static void (*const spoils[])(struct virtio_dev *) = {
		spoil_size, spoil_address, spoil_features, spoil_status, spoil_order, spoil_isr,
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(spoils); i++) {
		driver_start(&d, 0);
		spoils[i](&echo.dev);
		autobuf struct buf b = save();
		assert_int_equal(load_fresh(&b, &e), -1);
		assert_non_null(strstr(e.text, "echo"));
		assert_int_equal(driver_read(&d, VIRTIO_MMIO_STATUS), 0);
		driver_kick(&d, 0);
	}
	driver_start(&d, 0);
	autobuf struct buf b = save();
	echo.refuses = true; /* the device itself has the last word */
	assert_int_equal(virtio_load(&echo.dev, 3, &(struct rows){ b.data, b.size, 0 }, &e), -1);
	assert_int_equal(virtio_load(&echo.dev, 2, &(struct rows){ b.data, b.size, 0 }, &e), -1);
	assert_non_null(strstr(e.text, "ECHO"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_echo, close_echo)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_conversation_goes_on_over_a_restore_at_any_point),
		TEST(what_was_offered_before_a_save_is_seen_after_it_without_a_kick),
		TEST(a_restore_of_an_idle_device_writes_no_memory_and_raises_nothing),
		TEST(an_interrupt_that_the_driver_has_not_seen_is_raised_again),
		TEST(a_device_that_waits_for_its_reset_or_its_driver_is_saved_as_such),
		TEST(a_drained_device_serves_nothing_until_it_is_resumed),
		TEST(a_state_that_makes_no_sense_is_refused_and_the_device_is_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
