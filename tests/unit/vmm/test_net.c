/* Packets between a guest's driver and a socket pair in the tap's place. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/if_tun.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "driver.h"
#include "vmm/dev/net.h"
#include "vmm/virtio/core.h"

#define RX          0
#define TX          1
#define BUFFER      1526 /* of a driver that merges */
#define MERGE       (1ULL << VIRTIO_NET_F_MRG_RXBUF)
#define GUEST(name) (1ULL << VIRTIO_NET_F_GUEST_##name)
#define TSO         (GUEST(CSUM) | GUEST(TSO4))

static struct driver d;
static struct net net;
static struct loop *loop;
static int wire; /* the host's end */
static uint64_t buffers, packet;
static unsigned long offload; /* what the tap was told */
static unsigned told;

/* In the kernel's place: a socket has no offloads. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;

	assert_int_equal(fd, net.tap);
	assert_int_equal((unsigned)request, (unsigned)TUNSETOFFLOAD);
	va_start(ap, request);
	offload = va_arg(ap, unsigned long);
	va_end(ap);
	told++;
	return 0;
}

static void open_device(void)
{
	int pair[2], size = 1 << 16;
	struct err e;

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	wire = pair[1];
	memset(&net, 0, sizeof(net));
	assert_int_equal(net_init(&net, loop, &d.mem, pair[0], &e), 0);
	driver_attach(&d, &net.dev);
}

static int open_net(void **state)
{
	struct err e;

	(void)state;
	loop = loop_new(&e);
	driver_open(&d);
	open_device();
	return 0;
}

static void close_device(void)
{
	mmio_close(&d.mmio);
	net_close(&net);
	close(net.tap);
	close(wire);
}

static int close_net(void **state)
{
	(void)state;
	driver_close(&d);
	net_close(&net);
	close(net.tap);
	close(wire);
	loop_free(loop);
	return 0;
}

static void stop(struct timer *t)
{
	(void)t;
	loop_stop(loop);
}

static void turn(void)
{
	struct timer soon = { 0 };
	struct err e;

	loop_timer(loop, &soon, 1, stop);
	assert_int_equal(loop_run(loop, &e), 0);
	loop_untimer(loop, &soon);
}

static void offer(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct driver_part part = { buffers + d.q[RX].next_desc % 16U * 2048, BUFFER,
					    true };

		driver_send(&d, RX, &part, 1);
	}
}

static void start(uint64_t features)
{
	driver_start(&d, features);
	turn();
	buffers = driver_alloc(&d, 16 * 2048);
	packet = driver_alloc(&d, 80 * KIB);
}

static void put(const void *bytes, size_t size)
{
	static uint8_t frame[80 * 1024];

	memset(frame, 0, NET_HEADER);
	memcpy(frame + NET_HEADER, bytes, size);
	assert_int_equal(write(wire, frame, NET_HEADER + size), NET_HEADER + size);
}

/* The next packet for the guest, of all its buffers. */
static size_t take(uint8_t *to)
{
	struct virtio_net_hdr_v1 h;
	uint32_t head, size;
	size_t all = 0;

	turn();
	if (!driver_used(&d, RX, &head, &size))
		return 0;
	memcpy(&h, driver_at(&d, d.q[RX].desc[head].addr), sizeof(h));
	assert_true(h.num_buffers >= 1);
	for (unsigned i = 0;; i++) {
		memcpy(to + all, driver_at(&d, d.q[RX].desc[head].addr), size);
		all += size;
		if (i + 1 == h.num_buffers)
			return all;
		assert_true(driver_used(&d, RX, &head, &size));
	}
}

static void send_packet(uint32_t size, bool kick)
{
	struct driver_part part = { packet, size, false };

	if (kick)
		driver_send(&d, TX, &part, 1);
	else
		driver_offer(&d, TX, &part, 1);
}

static bool needs_reset(void)
{
	return driver_read(&d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static void the_driver_is_told_its_address(void **state)
{
	static const uint8_t mac[] = { 0x02, 0xd0, 0x2e, 0, 0, 0x15 };

	(void)state;
	start(0);
	for (uint64_t i = 0; i < sizeof(mac); i++) {
		uint8_t byte;

		bus_read(&d.bus, MMIO_BASE + VIRTIO_MMIO_CONFIG + i, &byte, 1);
		assert_int_equal(byte, mac[i]);
	}
}

static void packets_pass_both_ways_as_they_are(void **state)
{
	uint8_t got[4096];
	uint32_t head, size;

	(void)state;
	start(MERGE);
	offer(8);
	put("to the guest", 12);
	assert_int_equal(take(got), NET_HEADER + 12);
	assert_memory_equal(got + NET_HEADER, "to the guest", 12);
	assert_true(driver_interrupted(&d));
	memcpy(driver_at(&d, packet), "header 12 byto the host", 23);
	send_packet(23, true);
	turn();
	assert_int_equal(read(wire, got, sizeof(got)), 23);
	assert_memory_equal(got, "header 12 byto the host", 23);
	assert_true(driver_used(&d, TX, &head, &size));
}

static void a_large_packet_takes_as_many_buffers_as_it_needs_and_no_more(void **state)
{
	static uint8_t bytes[20000], got[32768];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 >> 3);
	start(MERGE | TSO);
	offer(16);
	put(bytes, sizeof(bytes));
	assert_int_equal(take(got), NET_HEADER + sizeof(bytes));
	assert_memory_equal(got + NET_HEADER, bytes, sizeof(bytes));
	assert_int_equal(net.n_held, 2); /* 14 of the 16 were filled */
	put("small", 5);                 /* is not read into what may be too little */
	assert_int_equal(take(got), 0);
	offer(14);
	assert_int_equal(take(got), NET_HEADER + 5);
}

static void a_large_packet_comes_whole_whichever_segmentation_was_agreed(void **state)
{
	static const uint64_t agreed[] = { GUEST(TSO4), GUEST(TSO6) };
	static uint8_t bytes[20000], got[32768];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(agreed); i++) {
		start(MERGE | GUEST(CSUM) | agreed[i]);
		offer(16);
		put(bytes, sizeof(bytes));
		assert_int_equal(take(got), NET_HEADER + sizeof(bytes));
	}
}

static void buffers_too_much_in_pieces_for_a_large_packet_still_serve_small_ones(void **state)
{
	struct driver_part parts[120];

	(void)state;
	d.indirect = true;
	start(MERGE | TSO | 1ULL << VIRTIO_RING_F_INDIRECT_DESC);
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		parts[i] = (struct driver_part){ buffers + i * 100, 100, true };
	for (unsigned i = 0; i < 4; i++)
		driver_send(&d, RX, parts, ARRAY_SIZE(parts));
	for (unsigned i = 0; i < 4; i++) {
		uint32_t head, size;

		put("small", 5);
		turn();
		assert_true(driver_used(&d, RX, &head, &size));
		assert_int_equal(size, NET_HEADER + 5);
		assert_memory_equal((uint8_t *)driver_at(&d, buffers) + NET_HEADER, "small", 5);
		driver_send(&d, RX, parts, ARRAY_SIZE(parts));
	}
	assert_false(needs_reset());
}

static void the_tap_is_told_in_the_loop_what_the_driver_agreed(void **state)
{
	static const struct {
		uint64_t features;
		unsigned long flags;
	} rows[] = {
		{ 0, 0 },
		{ GUEST(CSUM), TUN_F_CSUM },
		{ GUEST(TSO4) | GUEST(ECN), 0 }, /* needs the checksum */
		{ GUEST(CSUM) | GUEST(TSO4), TUN_F_CSUM | TUN_F_TSO4 },
		{ GUEST(CSUM) | GUEST(TSO6), TUN_F_CSUM | TUN_F_TSO6 },
		{ GUEST(CSUM) | GUEST(TSO4) | GUEST(TSO6) | GUEST(ECN),
		  TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		told = 0;
		driver_start(&d, MERGE | rows[i].features);
		assert_int_equal(told, 0); /* a vCPU's thread may not */
		turn();
		assert_int_equal(told, 1);
		assert_int_equal(offload, rows[i].flags);
	}
}

static void a_header_in_pieces_is_filled(void **state)
{
	struct virtio_net_hdr_v1 h;
	uint32_t head, size;

	(void)state;
	start(0);
	struct driver_part parts[] = { { buffers, 11, true },
				       { buffers + 100, 1, true },
				       { buffers + 200, BUFFER, true } };

	memset(driver_at(&d, buffers), 0xff, 400);
	driver_send(&d, RX, parts, 3);
	put("x", 1);
	turn();
	assert_true(driver_used(&d, RX, &head, &size));
	assert_int_equal(size, NET_HEADER + 1);
	memcpy(&h, driver_at(&d, buffers), 11);
	memcpy((uint8_t *)&h + 11, driver_at(&d, buffers + 100), 1);
	assert_int_equal(h.num_buffers, 1);
}

static void buffers_that_are_held_go_over_a_pause(void **state)
{
	uint8_t got[4096];

	(void)state;
	start(MERGE);
	offer(8);
	put("one", 3);
	assert_int_equal(take(got), NET_HEADER + 3);
	assert_true(net.n_held > 0);
	virtio_drain(&net.dev);
	assert_int_equal(net.n_held, 0);
	put("two", 3);
	assert_int_equal(take(got), 0);
	virtio_resume(&net.dev);
	assert_int_equal(take(got), NET_HEADER + 3);
	assert_memory_equal(got + NET_HEADER, "two", 3);
}

static void a_restored_device_goes_on_with_another_tap(void **state)
{
	autobuf struct buf saved = { 0 };
	uint8_t got[4096];
	struct err e;

	(void)state;
	start(MERGE | TSO);
	offer(16);
	put("one", 3);
	assert_int_equal(take(got), NET_HEADER + 3);
	virtio_drain(&net.dev);
	virtio_save(&net.dev, 0, &saved);
	close_device();
	open_device();
	assert_int_equal(virtio_load(&net.dev, 0, &(struct rows){ saved.data, saved.size, 0 }, &e),
			 0);
	offload = 0;
	virtio_resume(&net.dev);
	assert_int_equal(offload, TUN_F_CSUM | TUN_F_TSO4);
	offer(1); /* the ring is whole again */
	put("two", 3);
	assert_int_equal(take(got), NET_HEADER + 3);
	assert_memory_equal(got + NET_HEADER, "two", 3);
}

static void what_the_wire_does_not_take_now_is_sent_later_and_none_is_lost(void **state)
{
	uint8_t got[4096];
	uint32_t head, size, sent = 0, came = 0;

	(void)state;
	start(0);
	for (; sent < 4000; sent++) {
		memcpy((uint8_t *)driver_at(&d, packet) + NET_HEADER, &sent, sizeof(sent));
		send_packet(NET_HEADER + 1500, true);
		turn();
		if (!driver_used(&d, TX, &head, &size)) {
			sent++;
			break;
		}
	}
	assert_true(sent < 4000); /* it was full */
	while (read(wire, got, sizeof(got)) > 0) {
		assert_memory_equal(got + NET_HEADER, &came, sizeof(came));
		came++;
		turn();
	}
	assert_int_equal(came, sent);
}

static void what_is_no_packet_is_dropped(void **state)
{
	uint32_t head, size;
	uint8_t got[16];

	(void)state;
	start(0);
	send_packet((uint32_t)NET_PACKET + 1, true);
	turn();
	assert_true(driver_used(&d, TX, &head, &size));
	assert_int_equal(read(wire, got, sizeof(got)), -1);
	assert_int_equal(write(wire, "short", 5), 5);
	offer(1);
	turn();
	assert_false(driver_used(&d, RX, &head, &size));
	assert_false(needs_reset());
}

static void chains_that_make_no_sense_are_faults(void **state)
{
	const struct {
		unsigned queue;
		struct driver_part part;
	} rows[] = { { TX, { 0x8000, NET_HEADER - 1, false } },
		     { TX, { 0x8000, 100, true } },
		     { RX, { 0x8000, NET_HEADER - 1, true } },
		     { RX, { 0x8000, 2000, false } } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		d.heap = 0x10000;
		start(MERGE);
		put("x", 1);
		assert_false(needs_reset());
		driver_send(&d, rows[i].queue, &rows[i].part, 1);
		turn();
		assert_true(needs_reset());
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_net, close_net)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_driver_is_told_its_address),
		TEST(packets_pass_both_ways_as_they_are),
		TEST(a_large_packet_takes_as_many_buffers_as_it_needs_and_no_more),
		TEST(a_large_packet_comes_whole_whichever_segmentation_was_agreed),
		TEST(buffers_too_much_in_pieces_for_a_large_packet_still_serve_small_ones),
		TEST(the_tap_is_told_in_the_loop_what_the_driver_agreed),
		TEST(a_header_in_pieces_is_filled),
		TEST(buffers_that_are_held_go_over_a_pause),
		TEST(a_restored_device_goes_on_with_another_tap),
		TEST(what_the_wire_does_not_take_now_is_sent_later_and_none_is_lost),
		TEST(what_is_no_packet_is_dropped),
		TEST(chains_that_make_no_sense_are_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
