/* The disk as a driver sees it, with its thread: finished requests are waited for by running the
 * loop until as many came back. */

#include <fcntl.h>
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
#include "vmm/dev/blk.h"
#include "vmm/virtio/core.h"

#define DISK      (256 * KIB)
#define EVENT_IDX (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT  (1ULL << VIRTIO_RING_F_INDIRECT_DESC)

static struct driver d;
static struct loop *loop;
static struct blk blk;
static struct cow cow;
static int top; /* borrowed from the disk */
static int entered;

static void enter(void)
{
	entered++;
}

static void open_device(void)
{
	struct err e;

	memset(&blk, 0, sizeof(blk));
	assert_int_equal(blk_init(&blk, loop, &d.mem, enter, &e), 0);
	blk_attach(&blk, &cow);
	driver_attach(&d, &blk.dev);
}

static int open_blk(void **state)
{
	int root = memfd_create("root", MFD_CLOEXEC);
	struct err e;

	(void)state;
	top = memfd_create("top", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(root, DISK), 0);
	assert_int_equal(cow_open(&cow, root, &top, 1, &e), 0);
	loop = loop_new(&e);
	assert_non_null(loop);
	driver_open(&d);
	open_device();
	driver_start(&d, EVENT_IDX);
	return 0;
}

static int close_blk(void **state)
{
	(void)state;
	driver_close(&d);
	blk_close(&blk);
	cow_close(&cow);
	loop_free(loop);
	return 0;
}

/* A request under way: its parts in the guest's memory. */
struct request {
	uint64_t head_gpa, data_gpa, status_gpa;
	uint32_t size; /* of the data */
	bool in;
};

static struct request request(uint32_t type, uint64_t sector, uint32_t size, bool in)
{
	struct request r = { driver_alloc(&d, 16), driver_alloc(&d, size ? size : 1),
			     driver_alloc(&d, 1), size, in };
	struct virtio_blk_outhdr head = { .type = type, .sector = sector };

	memcpy(driver_at(&d, r.head_gpa), &head, sizeof(head));
	*(uint8_t *)driver_at(&d, r.status_gpa) = 0xff;
	return r;
}

static void offer(const struct request *r)
{
	struct driver_part parts[] = { { r->head_gpa, 16, false },
				       { r->data_gpa, r->size, r->in },
				       { r->status_gpa, 1, true } };

	if (!r->size)
		parts[1] = parts[2];
	driver_offer(&d, 0, parts, r->size ? 3 : 2);
}

static void look(struct timer *t)
{
	(void)t;
	loop_stop(loop);
}

/* The loop does what it has to do. */
static void turn(void)
{
	struct timer soon = { 0 };
	struct err e;

	loop_timer(loop, &soon, 1, look);
	assert_int_equal(loop_run(loop, &e), 0);
	loop_untimer(loop, &soon);
}

/* The next one that came back, in time. */
static uint32_t back(void)
{
	uint32_t head, size;

	while (!driver_used(&d, 0, &head, &size))
		turn();
	return size;
}

static uint8_t answer(const struct request *r)
{
	return *(uint8_t *)driver_at(&d, r->status_gpa);
}

static uint8_t ask(const struct request *r)
{
	offer(r);
	driver_kick(&d, 0);
	back();
	d.heap = 0x4000;
	return answer(r);
}

static void the_driver_is_told_what_the_disk_is(void **state)
{
	struct request r;

	(void)state;
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_DEVICE_ID), 2);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_CONFIG), DISK / 512);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_CONFIG + 8), BLK_SEGMENT_SIZE);
	assert_int_equal(driver_read(&d, VIRTIO_MMIO_CONFIG + 12), VQ_SEG_MAX - 2);
	r = request(VIRTIO_BLK_T_GET_ID, 0, 20, true);
	assert_int_equal(ask(&r), VIRTIO_BLK_S_OK);
	assert_string_equal((char *)driver_at(&d, r.data_gpa), "doze");
	assert_int_equal(entered, 1); /* in this, the first test: once for each device */
}

static void what_is_written_is_read_back_and_the_lengths_are_right(void **state)
{
	struct request w = request(VIRTIO_BLK_T_OUT, 3, 5 * 512, false), r;

	(void)state;
	memset(driver_at(&d, w.data_gpa), 'w', 5 * 512);
	offer(&w);
	driver_kick(&d, 0);
	assert_int_equal(back(), 1);
	assert_int_equal(answer(&w), VIRTIO_BLK_S_OK);
	r = request(VIRTIO_BLK_T_IN, 2, 7 * 512, true);
	offer(&r);
	driver_kick(&d, 0);
	assert_int_equal(back(), 7 * 512 + 1);
	assert_int_equal(answer(&r), VIRTIO_BLK_S_OK);
	for (int i = 0; i < 7; i++)
		assert_int_equal(*(char *)driver_at(&d, r.data_gpa + 512U * (unsigned)i),
				 i == 0 || i == 6 ? 0 : 'w');
}

static void requests_that_make_no_sense_are_answered_with_an_error(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t sector;
		uint32_t size;
		bool in;
		uint8_t status;
	} cases[] = {
		{ VIRTIO_BLK_T_IN, DISK / 512 - 1, 512, true, VIRTIO_BLK_S_OK },
		{ VIRTIO_BLK_T_IN, DISK / 512 - 1, 1024, true, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, DISK / 512, 512, true, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, ~0ULL, 512, true, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, 1ULL << 55, 512, true, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, 0, 511, true, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, 0, 0, true, VIRTIO_BLK_S_OK },
		{ VIRTIO_BLK_T_OUT, DISK / 512, 512, false, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_OUT, ~0ULL, 512, false, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_OUT, 0, 513, false, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_FLUSH, 0, 0, false, VIRTIO_BLK_S_OK },
		{ VIRTIO_BLK_T_GET_ID, 0, 20, true, VIRTIO_BLK_S_OK },
		{ VIRTIO_BLK_T_GET_ID, 0, 19, true, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_DISCARD, 0, 0, false, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_DISCARD, 0, 15, false, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_DISCARD, 0, 17 * 16, false, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_SCSI_CMD, 0, 512, true, VIRTIO_BLK_S_UNSUPP },
		{ VIRTIO_BLK_T_SECURE_ERASE, 0, 16, false, VIRTIO_BLK_S_UNSUPP },
		{ 0xffffffff, 0, 512, true, VIRTIO_BLK_S_UNSUPP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request r =
			request(cases[i].type, cases[i].sector, cases[i].size, cases[i].in);

		if (ask(&r) != cases[i].status)
			fail_msg("case %zu: %u", i, answer(&r));
	}
	assert_true(virtio_runs(&blk.dev));
}

static void ranges_are_zeroed_or_discarded_within_bounds(void **state)
{
	static const struct {
		uint32_t type;
		struct virtio_blk_discard_write_zeroes range;
		uint8_t status;
		char left; /* the first byte of sector 8 */
	} cases[] = {
		{ VIRTIO_BLK_T_WRITE_ZEROES, { 9, 1, 0 }, VIRTIO_BLK_S_OK, 'w' },
		{ VIRTIO_BLK_T_WRITE_ZEROES, { 8, 1, 0 }, VIRTIO_BLK_S_OK, 0 },
		{ VIRTIO_BLK_T_WRITE_ZEROES, { 0, 64, 1 }, VIRTIO_BLK_S_OK, 0 },
		{ VIRTIO_BLK_T_WRITE_ZEROES, { 8, 8, 2 }, VIRTIO_BLK_S_UNSUPP, 'w' },
		{ VIRTIO_BLK_T_WRITE_ZEROES, { ~0ULL, 8, 0 }, VIRTIO_BLK_S_IOERR, 'w' },
		{ VIRTIO_BLK_T_DISCARD, { 8, 8, 0 }, VIRTIO_BLK_S_OK, 0 },
		{ VIRTIO_BLK_T_DISCARD, { 8, 8, 1 }, VIRTIO_BLK_S_UNSUPP, 'w' },
		{ VIRTIO_BLK_T_DISCARD, { 0, 0xffffffff, 0 }, VIRTIO_BLK_S_IOERR, 'w' },
		{ VIRTIO_BLK_T_DISCARD, { DISK / 512 - 1, 2, 0 }, VIRTIO_BLK_S_IOERR, 'w' },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request w = request(VIRTIO_BLK_T_OUT, 0, 32 * 512, false), r;

		memset(driver_at(&d, w.data_gpa), 'w', w.size);
		assert_int_equal(ask(&w), VIRTIO_BLK_S_OK);
		r = request(cases[i].type, 0, 16, false);
		memcpy(driver_at(&d, r.data_gpa), &cases[i].range, 16);
		assert_int_equal(ask(&r), cases[i].status);
		r = request(VIRTIO_BLK_T_IN, 8, 512, true);
		assert_int_equal(ask(&r), VIRTIO_BLK_S_OK);
		assert_int_equal(*(char *)driver_at(&d, r.data_gpa), cases[i].left);
	}
}

static void a_full_disk_of_the_host_is_an_error_of_the_guests_disk(void **state)
{
	struct request w = request(VIRTIO_BLK_T_OUT, 0, 512, false), r;

	(void)state;
	assert_int_equal(fcntl(top, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW), 0);
	assert_int_equal(ask(&w), VIRTIO_BLK_S_IOERR);
	r = request(VIRTIO_BLK_T_IN, 0, 512, true);
	assert_int_equal(ask(&r), VIRTIO_BLK_S_OK);
}

static void the_registers_alone_start_no_request_and_end_none(void **state)
{
	struct request r = request(VIRTIO_BLK_T_IN, 0, 512, true);

	(void)state;
	driver_prepare(&d, EVENT_IDX);
	turn();
	offer(&r); /* before DRIVER_OK */
	driver_write(&d, VIRTIO_MMIO_STATUS,
		     driver_read(&d, VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(blk.taken, blk.given); /* a vCPU's thread may not */
	back();
	assert_int_equal(answer(&r), VIRTIO_BLK_S_OK);
	offer(&r);
	driver_kick(&d, 0);
	turn();
	driver_start(&d,
		     EVENT_IDX); /* a reset and all that follows, before the loop sees any of it */
	r = request(VIRTIO_BLK_T_IN, 0, 512, true);
	assert_int_equal(ask(&r), VIRTIO_BLK_S_OK);
}

static void a_chain_that_is_no_request_is_a_guest_fault(void **state)
{
	static const struct driver_part bad[][2] = {
		{ { 0x4000, 16, false }, { 0x5000, 512, false } }, /* no status */
		{ { 0x4000, 15, false }, { 0x5000, 1, true } },    /* half a header */
		{ { 0x4000, 16, true }, { 0x5000, 1, true } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		d.heap = 0x8000;
		driver_start(&d, EVENT_IDX);
		driver_send(&d, 0, bad[i], 2);
		turn();
		assert_true(driver_read(&d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	}
	driver_start(&d, EVENT_IDX);
	struct request r = request(VIRTIO_BLK_T_IN, 0, 512, true);

	assert_int_equal(ask(&r), VIRTIO_BLK_S_OK);
}

/* More than fit in flight, each sector written again and again: order of arrival is the order on
 * the disk. */
static void many_requests_are_done_in_order(void **state)
{
	struct request w[DRIVER_SIZE];

	(void)state;
	d.indirect = true;
	driver_start(&d, EVENT_IDX | INDIRECT);
	for (int round = 0; round < 20; round++) {
		d.heap = 0x8000;
		for (unsigned i = 0; i < DRIVER_SIZE; i++) {
			w[i] = request(VIRTIO_BLK_T_OUT, i % 3, 512, false);
			*(uint8_t *)driver_at(&d, w[i].data_gpa) = (uint8_t)(round * 16 + (int)i);
			offer(&w[i]);
			driver_kick(&d, 0);
		}
		for (unsigned i = 0; i < DRIVER_SIZE; i++) {
			back();
			assert_int_equal(answer(&w[i]), VIRTIO_BLK_S_OK);
		}
		struct request r = request(VIRTIO_BLK_T_IN, 0, 512 * 3, true);

		assert_int_equal(ask(&r), VIRTIO_BLK_S_OK);
		for (unsigned s = 0; s < 3; s++)
			assert_int_equal(*(uint8_t *)driver_at(&d, r.data_gpa + 512 * s),
					 (uint8_t)(round * 16 + (s == 0   ? 15
								 : s == 1 ? 13
									  : 14)));
	}
	d.indirect = false;
}

static void a_save_ends_what_is_in_flight_and_a_fresh_device_goes_on(void **state)
{
	(void)state;
	d.indirect = true;
	driver_start(&d, EVENT_IDX | INDIRECT);
	for (unsigned round = 0; round < 20; round++) {
		autobuf struct buf b = { 0 };
		struct request w[DRIVER_SIZE];
		struct err e;

		d.heap = 0x8000;
		for (unsigned i = 0; i < DRIVER_SIZE; i++) {
			w[i] = request(VIRTIO_BLK_T_OUT, i, 512, false);
			offer(&w[i]);
			if (i < round)
				driver_kick(&d, 0);
		}
		virtio_drain(&blk.dev);
		virtio_save(&blk.dev, 0, &b);
		mmio_close(&d.mmio);
		blk_close(&blk);
		open_device();
		assert_int_equal(virtio_load(&blk.dev, 0, &(struct rows){ b.data, b.size, 0 }, &e),
				 0);
		virtio_resume(&blk.dev);
		for (unsigned i = 0; i < DRIVER_SIZE; i++) {
			back();
			assert_int_equal(answer(&w[i]), VIRTIO_BLK_S_OK);
		}
	}
	d.indirect = false;
}

static void a_reset_in_the_middle_forgets_what_was_in_flight(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct request r;

		for (unsigned i = 0; i < 5; i++) {
			r = request(VIRTIO_BLK_T_IN, 0, 4096, true);
			offer(&r);
			driver_kick(&d, 0);
		}
		d.heap = 0x8000;
		driver_start(&d, EVENT_IDX);
		assert_int_equal(d.q[0].used->idx, 0);
		r = request(VIRTIO_BLK_T_IN, 0, 4096, true);
		assert_int_equal(ask(&r), VIRTIO_BLK_S_OK);
		assert_int_equal(d.q[0].used->idx, 1);
		driver_start(&d, EVENT_IDX);
	}
}

/* The disk is zero: a read that went on would show. */
static void when_a_reset_was_written_the_disk_leaves_the_guests_memory_alone(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct request r[4];

		for (size_t i = 0; i < ARRAY_SIZE(r); i++) {
			r[i] = request(VIRTIO_BLK_T_IN, 0, 65536, true);
			offer(&r[i]);
		}
		virtio_kick(&blk.dev, 0); /* at once, not when the loop hears of it */
		assert_int_equal(blk.taken, (round + 1) * ARRAY_SIZE(r));
		driver_write(&d, VIRTIO_MMIO_STATUS, 0);
		for (size_t i = 0; i < ARRAY_SIZE(r); i++)
			memset(driver_at(&d, r[i].data_gpa), 0xa5, r[i].size);
		turn();
		for (size_t i = 0; i < ARRAY_SIZE(r); i++)
			for (uint32_t k = 0; k < r[i].size; k++)
				assert_int_equal(((uint8_t *)driver_at(&d, r[i].data_gpa))[k],
						 0xa5);
		d.heap = 0x8000;
		driver_start(&d, EVENT_IDX);
	}
}

static void the_state_of_another_disk_is_refused(void **state)
{
	autobuf struct buf b = { 0 };
	struct err e;

	(void)state;
	virtio_drain(&blk.dev);
	virtio_save(&blk.dev, 0, &b);
	cow.size -= DISK_DELTA_BLOCK;
	assert_int_equal(virtio_load(&blk.dev, 0, &(struct rows){ b.data, b.size, 0 }, &e), -1);
	cow.size += DISK_DELTA_BLOCK;
	assert_int_equal(virtio_load(&blk.dev, 0, &(struct rows){ b.data, b.size, 0 }, &e), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_blk, close_blk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_driver_is_told_what_the_disk_is),
		TEST(what_is_written_is_read_back_and_the_lengths_are_right),
		TEST(requests_that_make_no_sense_are_answered_with_an_error),
		TEST(ranges_are_zeroed_or_discarded_within_bounds),
		TEST(a_full_disk_of_the_host_is_an_error_of_the_guests_disk),
		TEST(the_registers_alone_start_no_request_and_end_none),
		TEST(a_chain_that_is_no_request_is_a_guest_fault),
		TEST(many_requests_are_done_in_order),
		TEST(a_save_ends_what_is_in_flight_and_a_fresh_device_goes_on),
		TEST(a_reset_in_the_middle_forgets_what_was_in_flight),
		TEST(when_a_reset_was_written_the_disk_leaves_the_guests_memory_alone),
		TEST(the_state_of_another_disk_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
