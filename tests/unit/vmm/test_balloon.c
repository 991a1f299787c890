/* Free pages that a guest names. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "driver.h"
#include "vmm/dev/balloon.h"

#define PAGE      4096
#define INFLATE   0
#define REPORTING 2
#define FREE      (512 * KIB) /* from here on nothing else is in the guest's memory */

static struct driver d;
static struct balloon balloon;
static uint8_t *ram;

/* The guest's memory is an image, copy-on-write: what is dropped is the image's again. */
static int open_balloon(void **state)
{
	int image = memfd_create("image", MFD_CLOEXEC);
	struct err e;

	(void)state;
	driver_open(&d);
	ram = d.ram;
	assert_int_equal(ftruncate(image, DRIVER_MEMORY), 0);
	for (size_t i = 0; i < DRIVER_MEMORY; i += PAGE)
		assert_int_equal(pwrite(image, "image", 5, (off_t)i), 5);
	d.ram = mmap(NULL, DRIVER_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE, image, 0);
	assert_ptr_not_equal(d.ram, MAP_FAILED);
	close(image);
	mem_borrow(&d.mem, d.ram, DRIVER_MEMORY);
	assert_int_equal(balloon_init(&balloon, NULL, &d.mem, &e), 0);
	driver_attach(&d, &balloon.dev);
	driver_start(&d, 1ULL << VIRTIO_BALLOON_F_REPORTING);
	for (size_t i = 0; i < DRIVER_MEMORY / 2; i += PAGE)
		memcpy(d.ram + FREE + i, "guest", 5);
	return 0;
}

static int close_balloon(void **state)
{
	(void)state;
	munmap(d.ram, DRIVER_MEMORY);
	d.ram = ram;
	driver_close(&d);
	balloon_close(&balloon);
	return 0;
}

static void check_pages(uint64_t from, uint64_t to, const char *what)
{
	for (uint64_t at = from; at < to; at += PAGE)
		assert_memory_equal(d.ram + at, what, 5);
}

static void reported_pages_are_the_images_again_and_no_others(void **state)
{
	const struct driver_part parts[] = { { FREE, 8 * PAGE, true },
					     { FREE + 16 * PAGE, PAGE, true } };
	uint32_t head, size;

	(void)state;
	driver_send(&d, REPORTING, parts, 2);
	assert_true(driver_used(&d, REPORTING, &head, &size));
	check_pages(FREE, FREE + 8 * PAGE, "image");
	check_pages(FREE + 8 * PAGE, FREE + 16 * PAGE, "guest");
	check_pages(FREE + 16 * PAGE, FREE + 17 * PAGE, "image");
	check_pages(FREE + 17 * PAGE, DRIVER_MEMORY, "guest");
	assert_true(driver_interrupted(&d));
}

static void a_piece_of_a_page_stays(void **state)
{
	const struct driver_part part = { FREE + 1, 3 * PAGE - 2, true };
	uint32_t head, size;

	(void)state;
	driver_send(&d, REPORTING, &part, 1);
	assert_true(driver_used(&d, REPORTING, &head, &size));
	check_pages(FREE, FREE + PAGE, "guest");
	check_pages(FREE + PAGE, FREE + 2 * PAGE, "image");
	check_pages(FREE + 2 * PAGE, DRIVER_MEMORY, "guest");
}

static void pages_in_the_balloon_are_dropped_and_others_than_the_guests_passed_over(void **state)
{
	uint64_t row = driver_alloc(&d, 12);
	const uint32_t pfns[] = { FREE / PAGE + 2, UINT32_MAX, DRIVER_MEMORY / PAGE };
	const struct driver_part part = { row, sizeof(pfns), false };
	uint32_t head, size;

	(void)state;
	memcpy(driver_at(&d, row), pfns, sizeof(pfns));
	driver_send(&d, INFLATE, &part, 1);
	assert_true(driver_used(&d, INFLATE, &head, &size));
	check_pages(FREE, FREE + 2 * PAGE, "guest");
	check_pages(FREE + 2 * PAGE, FREE + 3 * PAGE, "image");
	check_pages(FREE + 3 * PAGE, DRIVER_MEMORY, "guest");
}

static void a_row_that_is_none_is_a_fault(void **state)
{
	const struct driver_part readable = { FREE, PAGE, false };

	(void)state;
	driver_send(&d, REPORTING, &readable, 1);
	assert_true(driver_read(&d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	check_pages(FREE, DRIVER_MEMORY, "guest");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_balloon, close_balloon)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reported_pages_are_the_images_again_and_no_others),
		TEST(a_piece_of_a_page_stays),
		TEST(pages_in_the_balloon_are_dropped_and_others_than_the_guests_passed_over),
		TEST(a_row_that_is_none_is_a_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
