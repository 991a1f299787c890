#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "driver.h"
#include "echo.h"
#include "vmm/virtio/queue.h"

#define INDIRECT  (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX (1ULL << VIRTIO_RING_F_EVENT_IDX)

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

static bool needs_reset(void)
{
	return driver_read(&d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static void talk(const char *text)
{
	uint32_t n = (uint32_t)strlen(text), head, size;
	struct driver_part parts[] = { { driver_alloc(&d, n), n / 2, false },
				       { driver_alloc(&d, n), n - n / 2, false },
				       { driver_alloc(&d, n), 1, true },
				       { driver_alloc(&d, n), n - 1, true } };
	uint16_t sent;

	memcpy(driver_at(&d, parts[0].gpa), text, n / 2);
	memcpy(driver_at(&d, parts[1].gpa), text + n / 2, n - n / 2);
	sent = driver_send(&d, 0, parts, ARRAY_SIZE(parts));
	assert_true(driver_used(&d, 0, &head, &size));
	assert_int_equal(head, sent);
	assert_int_equal(size, n);
	assert_memory_equal(driver_at(&d, parts[2].gpa), text, 1);
	assert_memory_equal(driver_at(&d, parts[3].gpa), text + 1, n - 1);
}

static void chains_come_back_whole_however_the_driver_puts_them(void **state)
{
	static const uint64_t features[] = { 0, INDIRECT, EVENT_IDX, INDIRECT | EVENT_IDX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		d.indirect = features[i] & INDIRECT;
		driver_start(&d, features[i]);
		for (int n = 0; n < 100; n++) { /* some times around the ring */
			talk("what the device reads it writes");
			assert_true(driver_interrupted(&d));
			assert_false(driver_interrupted(&d));
		}
	}
	d.indirect = false;
	assert_int_equal(echo.served, 400);
	assert_false(needs_reset());
}

static void the_indices_run_over_65535(void **state)
{
	struct driver_part part = { driver_alloc(&d, 16), 16, true };
	uint32_t head, size;

	(void)state;
	driver_start(&d, EVENT_IDX);
	for (int i = 0; i < 70000; i++) {
		driver_send(&d, 1, &part, 1);
		assert_true(driver_used(&d, 1, &head, &size));
	}
	assert_int_equal(echo.served, 70000);
}

static void no_interrupt_comes_where_the_driver_wants_none(void **state)
{
	struct driver_part part = { driver_alloc(&d, 16), 16, true };

	(void)state;
	driver_start(&d, 0);
	d.q[0].avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	driver_send(&d, 0, &part, 1);
	assert_false(driver_interrupted(&d));
	d.q[0].avail->flags = 0;
	driver_kick(&d, 0); /* nothing new */
	assert_false(driver_interrupted(&d));

	driver_start(&d, EVENT_IDX);
	d.q[0].avail->ring[DRIVER_SIZE] = 2; /* at the third */
	for (int i = 0; i < 4; i++) {
		driver_send(&d, 0, &part, 1);
		assert_int_equal(driver_interrupted(&d), i == 2);
	}
}

static void a_device_asks_for_a_kick_only_when_it_found_nothing(void **state)
{
	struct driver_part part = { driver_alloc(&d, 16), 16, true };
	const uint16_t *event;

	(void)state;
	driver_start(&d, EVENT_IDX);
	event = (const uint16_t *)(const void *)&d.q[0].used->ring[DRIVER_SIZE];
	echo.most = 1;
	driver_offer(&d, 0, &part, 1);
	driver_offer(&d, 0, &part, 1);
	driver_kick(&d, 0);
	assert_int_equal(*event, 0); /* one waits: it comes back by itself */
	echo.most = 2;
	driver_kick(&d, 0);
	assert_int_equal(*event, 2);
	assert_true(vq_is_empty(&echo.dev.vq[0]));
	driver_offer(&d, 0, &part, 1);
	assert_false(vq_is_empty(&echo.dev.vq[0]));
	assert_true(vq_is_waiting(&echo.dev.vq[0]));
}

static void a_chain_given_back_unread_is_popped_again(void **state)
{
	struct driver_part part = { driver_alloc(&d, 16), 16, true };
	struct vq *vq = &echo.dev.vq[0];
	struct vq_chain c;
	uint16_t head;

	(void)state;
	driver_start(&d, 0);
	driver_offer(&d, 0, &part, 1);
	assert_true(vq_pop(vq, &c));
	head = c.head;
	assert_false(vq_pop(vq, &c));
	vq_unpop(vq);
	assert_true(vq_pop(vq, &c));
	assert_int_equal(c.head, head);
	assert_int_equal(c.in.size, 16);
	vq_push(vq, &c, 7);
	assert_int_equal(d.q[0].used->idx, 1);
	assert_int_equal(d.q[0].used->ring[0].len, 7);
}

/* What a bad driver writes before it kicks; data stands at 0x80000, tables at 0x90000. */
struct scribble {
	const char *what;
	uint64_t features;
	struct vring_desc ring[3], table[3];
	uint16_t head, avail_idx;
};

#define NEXT  VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define TABLE VRING_DESC_F_INDIRECT
#define DATA  0x80000
#define AT    0x90000

static const struct scribble scribbles[] = {
	{ "an address outside", 0, { { DRIVER_MEMORY, 1, 0, 0 } }, { { 0 } }, 0, 1 },
	{ "an end outside", 0, { { DRIVER_MEMORY - 1, 2, 0, 0 } }, { { 0 } }, 0, 1 },
	{ "an end past 64 bits", 0, { { ~0ULL, 2, 0, 0 } }, { { 0 } }, 0, 1 },
	{ "no bytes", 0, { { DATA, 0, 0, 0 } }, { { 0 } }, 0, 1 },
	{ "a head outside", 0, { { DATA, 1, 0, 0 } }, { { 0 } }, DRIVER_SIZE, 1 },
	{ "a next outside", 0, { { DATA, 1, NEXT, DRIVER_SIZE } }, { { 0 } }, 0, 1 },
	{ "a loop of one", 0, { { DATA, 1, NEXT, 0 } }, { { 0 } }, 0, 1 },
	{ "a loop of two", 0, { { DATA, 1, NEXT, 1 }, { DATA, 1, NEXT, 0 } }, { { 0 } }, 0, 1 },
	{ "readable last",
	  0,
	  { { DATA, 1, WRITE | NEXT, 1 }, { DATA, 1, 0, 0 } },
	  { { 0 } },
	  0,
	  1 },
	{ "an index that jumps", 0, { { DATA, 1, 0, 0 } }, { { 0 } }, 0, DRIVER_SIZE + 1 },
	{ "an index that goes back", 0, { { DATA, 1, 0, 0 } }, { { 0 } }, 0, 0xffff },
	{ "a table not agreed", 0, { { AT, 16, TABLE, 0 } }, { { DATA, 1, 0, 0 } }, 0, 1 },
	{ "a table in a table",
	  INDIRECT,
	  { { AT, 16, TABLE, 0 } },
	  { { AT, 16, TABLE, 0 } },
	  0,
	  1 },
	{ "half a table", INDIRECT, { { AT, 17, TABLE, 0 } }, { { DATA, 1, 0, 0 } }, 0, 1 },
	{ "no table", INDIRECT, { { AT, 0, TABLE, 0 } }, { { DATA, 1, 0, 0 } }, 0, 1 },
	{ "a table outside", INDIRECT, { { AT, 0xfffffff0, TABLE, 0 } }, { { 0 } }, 0, 1 },
	{ "a table and a next",
	  INDIRECT,
	  { { AT, 16, TABLE | NEXT, 0 } },
	  { { DATA, 1, 0, 0 } },
	  0,
	  1 },
	{ "a next past the table",
	  INDIRECT,
	  { { AT, 16, TABLE, 0 } },
	  { { DATA, 1, NEXT, 1 } },
	  0,
	  1 },
	{ "a loop in a table", INDIRECT, { { AT, 16, TABLE, 0 } }, { { DATA, 1, NEXT, 0 } }, 0, 1 },
};

static void what_makes_no_sense_asks_for_a_reset_and_no_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scribbles); i++) {
		const struct scribble *s = &scribbles[i];

		driver_start(&d, s->features);
		memcpy(d.q[0].desc, s->ring, sizeof(s->ring));
		memcpy(driver_at(&d, AT), s->table, sizeof(s->table));
		d.q[0].avail->ring[0] = s->head;
		d.q[0].avail->idx = s->avail_idx;
		driver_kick(&d, 0);
		if (!needs_reset())
			fail_msg("%s was taken", s->what);
		assert_true(driver_interrupted(&d)); /* of the configuration */
		assert_int_equal(d.q[0].used->idx, 0);
		driver_kick(&d, 1); /* all of its queues stand still */
	}
	driver_start(&d, 0);
	talk("and after the reset it serves again");
	assert_int_equal(echo.dev.faults, ARRAY_SIZE(scribbles));
}

static void more_bytes_than_the_bound_are_refused(void **state)
{
	struct vring_desc *table;

	(void)state;
	driver_start(&d, INDIRECT);
	table = driver_at(&d, AT);
	for (uint16_t i = 0; i < 17; i++) /* 17 MiB in one memory of 1 MiB */
		table[i] = (struct vring_desc){ 0, DRIVER_MEMORY, i < 16 ? NEXT : 0,
						(uint16_t)(i + 1) };
	d.q[0].desc[0] = (struct vring_desc){ AT, 17 * 16, TABLE, 0 };
	d.q[0].avail->idx = 1;
	driver_kick(&d, 0);
	assert_true(needs_reset());
}

static void a_chain_of_all_segments_fits_and_one_more_does_not(void **state)
{
	struct driver_part parts[VQ_SEG_MAX + 1];
	uint32_t head, size;

	(void)state;
	d.indirect = true;
	driver_start(&d, INDIRECT);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		parts[i] = (struct driver_part){ DATA, 1, i > 0 };
	driver_send(&d, 0, parts, VQ_SEG_MAX);
	assert_true(driver_used(&d, 0, &head, &size));
	driver_send(&d, 0, parts, VQ_SEG_MAX + 1);
	assert_true(needs_reset());
}

static void a_queue_that_lies_wrong_is_refused_at_driver_ok(void **state)
{
	static const struct {
		uint32_t reg, value;
	} cases[] = {
		{ VIRTIO_MMIO_QUEUE_NUM, 0 },
		{ VIRTIO_MMIO_QUEUE_NUM, 3 },
		{ VIRTIO_MMIO_QUEUE_NUM, 2 * VQ_SIZE_MAX },
		{ VIRTIO_MMIO_QUEUE_NUM, 0x10010 },
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, 8 },
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, DRIVER_MEMORY },
		{ VIRTIO_MMIO_QUEUE_DESC_HIGH, 1 },
		{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, 1 },
		{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, DRIVER_MEMORY - 6 - 2 * DRIVER_SIZE + 2 },
		{ VIRTIO_MMIO_QUEUE_AVAIL_HIGH, 0xffffffff },
		{ VIRTIO_MMIO_QUEUE_USED_LOW, 2 },
		{ VIRTIO_MMIO_QUEUE_USED_LOW, DRIVER_MEMORY - 6 - 8 * DRIVER_SIZE + 2 },
		{ VIRTIO_MMIO_QUEUE_USED_HIGH, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		driver_prepare(&d, 0);
		driver_write(&d, VIRTIO_MMIO_QUEUE_READY, 0);
		driver_write(&d, cases[i].reg, cases[i].value);
		driver_write(&d, VIRTIO_MMIO_QUEUE_READY, 1);
		driver_write(&d, VIRTIO_MMIO_STATUS, 0xf);
		assert_true(needs_reset());
		driver_kick(&d, 0);
		assert_int_equal(echo.starts, 0);
		d.heap = 4096;
	}
}

static void spans_are_consumed_from_both_ends(void **state)
{
	char a[3] = "abc", b[4] = "defg", got[6];
	struct iovec seg[] = { { a, sizeof(a) }, { b, sizeof(b) } };
	struct span s = { seg, 2, 7 };

	(void)state;
	assert_ptr_equal(span_last_byte(&s), &b[3]);
	assert_false(span_take(&s, got, 7));
	assert_true(span_take(&s, got, 4));
	assert_memory_equal(got, "abcd", 4);
	assert_int_equal(s.size, 2);
	assert_true(span_skip(&s, 1));
	assert_true(span_put(&s, "!", 1));
	assert_false(span_put(&s, "!", 1));
	assert_null(span_last_byte(&s));
	assert_memory_equal(b, "de!g", 4);
	assert_true(span_take(&s, got, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_echo, close_echo)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(chains_come_back_whole_however_the_driver_puts_them),
		TEST(the_indices_run_over_65535),
		TEST(no_interrupt_comes_where_the_driver_wants_none),
		TEST(a_device_asks_for_a_kick_only_when_it_found_nothing),
		TEST(a_chain_given_back_unread_is_popped_again),
		TEST(what_makes_no_sense_asks_for_a_reset_and_no_more),
		TEST(more_bytes_than_the_bound_are_refused),
		TEST(a_chain_of_all_segments_fits_and_one_more_does_not),
		TEST(a_queue_that_lies_wrong_is_refused_at_driver_ok),
		TEST(spans_are_consumed_from_both_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
