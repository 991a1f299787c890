/* Streams between a host end that keeps what it gets, and a guest's driver. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/vm_sockets.h>

#include "driver.h"
#include "vmm/dev/vsock.h"
#include "vmm/virtio/core.h"
#include "vmm/virtio/queue.h"

#define RX     0
#define TX     1
#define LISTEN 1
#define HEADER sizeof(struct virtio_vsock_hdr)
#define ROOM   4096 /* of a buffer, behind the header */
#define OWN    50   /* the guest's port of its own stream */
#define BOTH   (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

/* A host end: what it has for the guest, what it got; how much of that it passes on at once. */
struct end {
	struct vsock_conn conn;
	struct buf to_guest, got;
	bool ended, holds, opened, finished, closed, refused;
};

static struct driver d;
static struct vsock vsock;
static struct end agent, streams[3];
static uint64_t rx_buffers, tx_buffer;
static unsigned rx_offered;

static struct end *end_of(struct vsock_conn *c)
{
	return container_of(c, struct end, conn);
}

static ssize_t end_read(struct vsock_conn *c, const struct iovec *to, unsigned n)
{
	struct end *e = end_of(c);
	ssize_t done = 0;

	for (unsigned i = 0; i < n && e->to_guest.size; i++) {
		size_t size = to[i].iov_len < e->to_guest.size ? to[i].iov_len : e->to_guest.size;

		memcpy(to[i].iov_base, e->to_guest.data, size);
		buf_drop(&e->to_guest, size);
		done += (ssize_t)size;
	}
	return done || e->ended ? done : -EAGAIN;
}

static bool end_put(struct vsock_conn *c, struct span *bytes)
{
	struct end *e = end_of(c);
	size_t size = bytes->size;

	buf_reserve(&e->got, size);
	assert_true(span_take(bytes, e->got.data + e->got.size, size));
	e->got.size += size;
	if (!e->holds)
		vsock_taken(c, (uint32_t)size);
	return true;
}

static void end_finish(struct vsock_conn *c)
{
	end_of(c)->finished = true;
}

static void end_opened(struct vsock_conn *c)
{
	end_of(c)->opened = true;
}

static void end_closed(struct vsock_conn *c, bool refused)
{
	end_of(c)->closed = true;
	end_of(c)->refused = refused;
}

static const struct vsock_end_ops end_ops = {
	.read = end_read,
	.put = end_put,
	.finish = end_finish,
	.opened = end_opened,
	.closed = end_closed,
};

static void end_free(struct end *e)
{
	buf_free(&e->to_guest);
	buf_free(&e->got);
	*e = (struct end){ 0 };
}

static void open_device(void)
{
	struct err e;

	memset(&vsock, 0, sizeof(vsock));
	assert_int_equal(vsock_init(&vsock, NULL, &d.mem, LISTEN, &agent.conn, &end_ops, &e), 0);
	driver_attach(&d, &vsock.dev);
}

static void offer_buffers(unsigned n)
{
	for (; n; n--, rx_offered++) {
		uint64_t gpa = rx_buffers + rx_offered % 8 * (HEADER + ROOM);
		/* In two parts, with the header across both. */
		struct driver_part parts[] = { { gpa, 20, true },
					       { gpa + 20, HEADER + ROOM - 20, true } };

		driver_send(&d, RX, parts, 2);
	}
}

static int open_vsock(void **state)
{
	(void)state;
	driver_open(&d);
	open_device();
	driver_start(&d, 1ULL << VIRTIO_RING_F_EVENT_IDX);
	rx_buffers = driver_alloc(&d, 8 * (HEADER + ROOM));
	tx_buffer = driver_alloc(&d, HEADER + 128 * KIB);
	rx_offered = 0;
	offer_buffers(8);
	return 0;
}

static int close_vsock(void **state)
{
	(void)state;
	driver_close(&d);
	vsock_close(&vsock);
	end_free(&agent);
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		end_free(&streams[i]);
	return 0;
}

/* A packet of the guest; its size, and what its header says of it. */
static void guest_send_sized(struct virtio_vsock_hdr h, const void *data, uint32_t size,
			     uint32_t all)
{
	struct driver_part part = { tx_buffer, all, false };
	uint32_t head, used;

	h.src_cid = VSOCK_GUEST_CID;
	h.dst_cid = VMADDR_CID_HOST;
	h.len = size;
	h.type = h.type ? h.type : VIRTIO_VSOCK_TYPE_STREAM;
	h.buf_alloc = h.buf_alloc ? h.buf_alloc : 256 * KIB;
	memcpy(driver_at(&d, tx_buffer), &h, HEADER);
	if (data)
		memcpy(driver_at(&d, tx_buffer + HEADER), data, size);
	driver_send(&d, TX, &part, 1);
	while (driver_used(&d, TX, &head, &used))
		assert_int_equal(used, 0);
}

static void guest_send(struct virtio_vsock_hdr h, const void *data, uint32_t size)
{
	guest_send_sized(h, data, size, (uint32_t)HEADER + size);
}

static struct virtio_vsock_hdr packet(uint16_t op, uint32_t guest_port, uint32_t host_port)
{
	return (struct virtio_vsock_hdr){ .op = op, .src_port = guest_port, .dst_port = host_port };
}

/* The next packet for the guest; its buffer goes back. */
static bool guest_receive(struct virtio_vsock_hdr *h, uint8_t data[ROOM])
{
	uint32_t head, size;
	uint64_t gpa;

	if (!driver_used(&d, RX, &head, &size))
		return false;
	gpa = d.q[RX].desc[head].addr;
	memcpy(h, driver_at(&d, gpa), HEADER);
	assert_int_equal(size, HEADER + h->len);
	assert_int_equal(h->src_cid, VMADDR_CID_HOST);
	assert_int_equal(h->dst_cid, VSOCK_GUEST_CID);
	assert_int_equal(h->buf_alloc, VSOCK_CREDIT);
	if (data)
		memcpy(data, driver_at(&d, gpa + HEADER), h->len);
	offer_buffers(1);
	return true;
}

static struct virtio_vsock_hdr guest_expect(uint16_t op)
{
	struct virtio_vsock_hdr h = { 0 };

	assert_true(guest_receive(&h, NULL));
	assert_int_equal(h.op, op);
	return h;
}

static void guest_expect_nothing(void)
{
	struct virtio_vsock_hdr h;

	assert_false(guest_receive(&h, NULL));
}

/* A stream of the host that the guest accepted; answers its host port. */
static uint32_t open_stream(struct end *e, uint32_t credit)
{
	struct virtio_vsock_hdr h;

	assert_true(vsock_connect(&vsock, &e->conn, 7, &end_ops));
	h = guest_expect(VIRTIO_VSOCK_OP_REQUEST);
	assert_int_equal(h.dst_port, 7);
	h = packet(VIRTIO_VSOCK_OP_RESPONSE, 7, h.src_port);
	h.buf_alloc = credit;
	guest_send(h, NULL, 0);
	assert_true(e->opened);
	return h.dst_port;
}

static void open_own(void)
{
	guest_send(packet(VIRTIO_VSOCK_OP_REQUEST, OWN, LISTEN), NULL, 0);
	guest_expect(VIRTIO_VSOCK_OP_RESPONSE);
}

static bool needs_reset(void)
{
	return driver_read(&d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static void bytes_pass_both_ways(void **state)
{
	uint32_t port = open_stream(&streams[0], 1000);
	struct virtio_vsock_hdr h;
	uint8_t data[ROOM];

	(void)state;
	guest_send(packet(VIRTIO_VSOCK_OP_RW, 7, port), "hello", 5);
	assert_int_equal(streams[0].got.size, 5);
	assert_memory_equal(streams[0].got.data, "hello", 5);
	buf_adds(&streams[0].to_guest, "world");
	vsock_readable(&streams[0].conn);
	assert_true(guest_receive(&h, data));
	assert_int_equal(h.op, VIRTIO_VSOCK_OP_RW);
	assert_int_equal(h.src_port, port);
	assert_int_equal(h.fwd_cnt, 5);
	assert_int_equal(h.len, 5);
	assert_memory_equal(data, "world", 5);
	assert_true(driver_interrupted(&d));
}

static void a_guest_gets_no_more_than_it_has_room_for(void **state)
{
	uint32_t port = open_stream(&streams[0], 100);
	struct virtio_vsock_hdr h;
	uint8_t bytes[250] = { 0 };

	(void)state;
	buf_add(&streams[0].to_guest, bytes, sizeof(bytes));
	vsock_readable(&streams[0].conn);
	h = guest_expect(VIRTIO_VSOCK_OP_RW);
	assert_int_equal(h.len, 100);
	guest_expect_nothing();
	h = packet(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 7, port);
	h.buf_alloc = 100;
	h.fwd_cnt = 60;
	guest_send(h, NULL, 0);
	h = guest_expect(VIRTIO_VSOCK_OP_RW);
	assert_int_equal(h.len, 60);
	guest_expect_nothing();
	h = packet(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 7, port);
	h.buf_alloc = 1;
	h.fwd_cnt = 4000000000U; /* more than it ever got */
	guest_send(h, NULL, 0);
	guest_expect_nothing();
	assert_false(needs_reset());
}

static void a_guest_that_sends_more_than_it_may_is_reset(void **state)
{
	uint8_t *bytes = driver_at(&d, driver_alloc(&d, VSOCK_CREDIT));
	uint32_t port = open_stream(&streams[0], 1000);

	(void)state;
	streams[0].holds = true;
	guest_send(packet(VIRTIO_VSOCK_OP_RW, 7, port), bytes, VSOCK_CREDIT);
	assert_int_equal(streams[0].got.size, VSOCK_CREDIT);
	guest_send(packet(VIRTIO_VSOCK_OP_RW, 7, port), "x", 1);
	guest_expect(VIRTIO_VSOCK_OP_RST);
	assert_true(streams[0].closed);
	assert_false(streams[0].refused);
	assert_int_equal(streams[0].got.size, VSOCK_CREDIT);
}

static void the_guest_is_told_what_was_taken(void **state)
{
	uint8_t *bytes = driver_at(&d, driver_alloc(&d, VSOCK_CREDIT));
	uint32_t port = open_stream(&streams[0], 1000);
	struct virtio_vsock_hdr h;

	(void)state;
	streams[0].holds = true;
	guest_send(packet(VIRTIO_VSOCK_OP_RW, 7, port), bytes, VSOCK_CREDIT);
	guest_expect_nothing();
	vsock_taken(&streams[0].conn, VSOCK_CREDIT);
	vsock_kick(&streams[0].conn);
	h = guest_expect(VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	assert_int_equal(h.fwd_cnt, VSOCK_CREDIT);
	guest_send(packet(VIRTIO_VSOCK_OP_CREDIT_REQUEST, 7, port), NULL, 0);
	guest_expect(VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	guest_expect_nothing();
}

static void an_end_of_one_side_is_not_the_end_of_the_other(void **state)
{
	uint32_t port = open_stream(&streams[0], 1000);
	struct virtio_vsock_hdr h;

	(void)state;
	buf_adds(&streams[0].to_guest, "last");
	streams[0].ended = true;
	vsock_readable(&streams[0].conn);
	guest_expect(VIRTIO_VSOCK_OP_RW);
	h = guest_expect(VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(h.flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
	streams[0].holds = true;
	guest_send(packet(VIRTIO_VSOCK_OP_RW, 7, port), "answer", 6);
	h = packet(VIRTIO_VSOCK_OP_SHUTDOWN, 7, port);
	h.flags = BOTH;
	guest_send(h, NULL, 0);
	assert_true(streams[0].finished);
	assert_false(streams[0].closed); /* six bytes are still to be passed on */
	vsock_taken(&streams[0].conn, 6);
	vsock_kick(&streams[0].conn);
	assert_true(streams[0].closed);
	guest_expect(VIRTIO_VSOCK_OP_RST);
	guest_expect_nothing();
}

static void a_guest_that_refuses_or_resets_ends_a_stream(void **state)
{
	struct virtio_vsock_hdr h;
	uint32_t port;

	(void)state;
	assert_true(vsock_connect(&vsock, &streams[0].conn, 7, &end_ops));
	h = guest_expect(VIRTIO_VSOCK_OP_REQUEST);
	guest_send(packet(VIRTIO_VSOCK_OP_RST, 7, h.src_port), NULL, 0);
	assert_true(streams[0].closed && streams[0].refused);
	port = open_stream(&streams[1], 1000);
	assert_int_not_equal(port, h.src_port);
	guest_send(packet(VIRTIO_VSOCK_OP_RST, 7, port), NULL, 0);
	assert_true(streams[1].closed && !streams[1].refused);
	guest_expect_nothing();
}

static void a_packet_for_no_stream_is_answered_by_a_reset_and_a_reset_by_nothing(void **state)
{
	struct virtio_vsock_hdr h = packet(VIRTIO_VSOCK_OP_RW, 9, 4000);

	(void)state;
	guest_send(h, "x", 1);
	h = guest_expect(VIRTIO_VSOCK_OP_RST);
	assert_int_equal(h.src_port, 4000);
	assert_int_equal(h.dst_port, 9);
	guest_send(packet(VIRTIO_VSOCK_OP_RST, 9, 4000), NULL, 0);
	guest_expect_nothing();
	guest_send(packet(VIRTIO_VSOCK_OP_REQUEST, 9, 2), NULL, 0); /* nobody listens there */
	guest_expect(VIRTIO_VSOCK_OP_RST);
	open_own();
	guest_send(packet(VIRTIO_VSOCK_OP_REQUEST, OWN + 1, LISTEN), NULL, 0); /* a second one */
	guest_expect(VIRTIO_VSOCK_OP_RST);
	assert_false(agent.closed);
	h = packet(VIRTIO_VSOCK_OP_RW, OWN, LISTEN);
	h.type = VIRTIO_VSOCK_TYPE_SEQPACKET;
	guest_send(h, "x", 1);
	guest_expect(VIRTIO_VSOCK_OP_RST);
	assert_true(agent.closed);
	open_own(); /* it may come again */
}

static void streams_take_turns(void **state)
{
	static const uint8_t bytes[3 * ROOM];
	uint32_t ports[2];
	struct virtio_vsock_hdr h;

	(void)state;
	for (int i = 0; i < 2; i++)
		ports[i] = open_stream(&streams[i], 256 * KIB);
	assert_true(vsock_connect(&vsock, &streams[2].conn, 7, &end_ops));
	guest_expect(VIRTIO_VSOCK_OP_REQUEST);
	vsock_abort(&streams[2].conn);
	guest_expect(VIRTIO_VSOCK_OP_RST);
	assert_false(streams[2].closed);
	virtio_drain(&vsock.dev); /* so that both have bytes before the first is asked */
	for (int i = 0; i < 2; i++) {
		buf_add(&streams[i].to_guest, bytes, sizeof(bytes));
		vsock_readable(&streams[i].conn);
	}
	guest_expect_nothing();
	virtio_resume(&vsock.dev);
	for (int i = 0; i < 6; i++) {
		h = guest_expect(VIRTIO_VSOCK_OP_RW);
		assert_int_equal(h.src_port, ports[i % 2]);
		assert_int_equal(h.len, ROOM);
	}
}

static void a_guest_that_takes_no_resets_is_not_heard(void **state)
{
	struct driver_part part = { tx_buffer, HEADER, false };
	struct virtio_vsock_hdr h = packet(VIRTIO_VSOCK_OP_RW, 9, 4000);
	uint32_t head, size, answered = 0, sent = 0;

	(void)state;
	for (int i = 0; i < 8; i++) /* uses up what buffers there are */
		guest_send(h, NULL, 0);
	for (; sent < VSOCK_HEARD; sent++)
		guest_send(h, NULL, 0);
	for (int i = 0; i < 8; i++, sent++)
		driver_send(&d, TX, &part, 1);
	assert_false(driver_used(&d, TX, &head, &size));
	assert_int_equal(vsock.n_resets, VSOCK_HEARD);
	while (guest_receive(&h, NULL)) {
		assert_int_equal(h.op, VIRTIO_VSOCK_OP_RST);
		driver_kick(&d, TX);
		answered++;
	}
	assert_int_equal(answered, sent + 8);
	assert_false(needs_reset());
}

static void the_guests_own_stream_goes_over_a_restore_and_the_hosts_are_reset(void **state)
{
	autobuf struct buf saved = { 0 };
	struct virtio_vsock_hdr h;
	uint8_t data[ROOM];
	uint32_t port;
	struct err e;

	(void)state;
	open_own();
	agent.holds = true;
	guest_send(packet(VIRTIO_VSOCK_OP_RW, OWN, LISTEN), "half", 4);
	port = open_stream(&streams[0], 1000);
	virtio_drain(&vsock.dev);
	virtio_save(&vsock.dev, 0, &saved);
	vsock_save_streams(&vsock, &saved);

	mmio_close(&d.mmio);
	vsock_close(&vsock);
	open_device();
	assert_int_equal(record_check(saved.data, saved.size, &e), 0);
	assert_int_equal(
		virtio_load(&vsock.dev, 0, &(struct rows){ saved.data, saved.size, 0 }, &e), 0);
	assert_int_equal(
		vsock_load_streams(&vsock, &(struct rows){ saved.data, saved.size, 0 }, &e), 0);
	virtio_resume(&vsock.dev);
	h = guest_expect(VIRTIO_VSOCK_OP_RST);
	assert_int_equal(h.src_port, port);
	guest_send(packet(VIRTIO_VSOCK_OP_RW, OWN, LISTEN), " and half", 9);
	assert_int_equal(agent.got.size, 13);
	buf_adds(&agent.to_guest, "answer");
	vsock_readable(&agent.conn);
	assert_true(guest_receive(&h, data));
	assert_int_equal(h.op, VIRTIO_VSOCK_OP_RW);
	assert_int_equal(h.fwd_cnt, 0); /* it holds all */
	assert_memory_equal(data, "answer", 6);
	assert_int_not_equal(open_stream(&streams[1], 10), port);
}

static void a_state_that_makes_no_sense_is_refused(void **state)
{
	autobuf struct buf saved = { 0 };
	struct err e;

	(void)state;
	open_own();
	agent.conn.got = VSOCK_CREDIT + 1;
	virtio_drain(&vsock.dev);
	virtio_save(&vsock.dev, 0, &saved);
	vsock_save_streams(&vsock, &saved);
	assert_int_equal(
		virtio_load(&vsock.dev, 0, &(struct rows){ saved.data, saved.size, 0 }, &e), 0);
	assert_int_equal(
		vsock_load_streams(&vsock, &(struct rows){ saved.data, saved.size, 0 }, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
}

static void a_reset_of_the_device_ends_all_streams(void **state)
{
	(void)state;
	open_own();
	open_stream(&streams[0], 1000);
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	assert_true(agent.closed);
	assert_true(streams[0].closed);
	assert_int_equal(vsock.n_streams, 0);
}

static void a_packet_that_is_none_and_a_buffer_for_none_are_faults(void **state)
{
	const struct virtio_vsock_hdr h = packet(VIRTIO_VSOCK_OP_RW, 9, 4000);
	const struct {
		unsigned queue;
		struct driver_part part;
		uint32_t len;
	} rows[] = { { TX, { tx_buffer, HEADER - 1, false }, 0 },
		     { TX, { tx_buffer, HEADER + 4, false }, 5 },
		     { TX, { tx_buffer, HEADER, true }, 0 },
		     { RX, { tx_buffer, HEADER, true }, 0 },
		     { RX, { tx_buffer, HEADER + ROOM, false }, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct virtio_vsock_hdr first = h;

		assert_false(needs_reset());
		first.src_cid = VSOCK_GUEST_CID;
		first.dst_cid = VMADDR_CID_HOST;
		first.type = VIRTIO_VSOCK_TYPE_STREAM;
		first.len = rows[i].len;
		memcpy(driver_at(&d, tx_buffer), &first, HEADER);
		if (rows[i].queue == RX) {
			driver_start(&d, 0); /* no buffers */
			driver_send(&d, RX, &rows[i].part, 1);
			assert_true(vsock_connect(&vsock, &streams[0].conn, 7, &end_ops));
		} else {
			driver_send(&d, TX, &rows[i].part, 1);
		}
		assert_true(needs_reset());
		close_vsock(state);
		open_vsock(state);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_vsock, close_vsock)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_pass_both_ways),
		TEST(a_guest_gets_no_more_than_it_has_room_for),
		TEST(a_guest_that_sends_more_than_it_may_is_reset),
		TEST(the_guest_is_told_what_was_taken),
		TEST(an_end_of_one_side_is_not_the_end_of_the_other),
		TEST(a_guest_that_refuses_or_resets_ends_a_stream),
		TEST(a_packet_for_no_stream_is_answered_by_a_reset_and_a_reset_by_nothing),
		TEST(streams_take_turns),
		TEST(a_guest_that_takes_no_resets_is_not_heard),
		TEST(the_guests_own_stream_goes_over_a_restore_and_the_hosts_are_reset),
		TEST(a_state_that_makes_no_sense_is_refused),
		TEST(a_reset_of_the_device_ends_all_streams),
		TEST(a_packet_that_is_none_and_a_buffer_for_none_are_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
