/* Bytes both ways between socket pairs: nothing lost, ends passed on, nobody spins. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "guest/relay.h"

struct bench {
	struct loop *loop;
	struct relay relay;
	int left, right; /* what the two sides are connected to */
	bool over, broken;
	struct timer timer;
	unsigned turns;
};

static struct bench bench;

static void bench_over(struct relay *r, bool broken)
{
	bench.over = true;
	bench.broken = broken;
	relay_close(r);
}

static void bench_fire(struct timer *t)
{
	(void)t;
	loop_stop(bench.loop);
}

/* All that can happen now has happened when a timer that is due has its turn. */
static void bench_turn(void)
{
	struct err e;

	for (int i = 0; i < 8; i++) {
		loop_timer(bench.loop, &bench.timer, 0, bench_fire);
		assert_int_equal(loop_run(bench.loop, &e), 0);
	}
}

static int bench_setup(void **unused)
{
	int a[2], b[2], size = 4096;
	struct err e;

	(void)unused;
	bench = (struct bench){ 0 };
	bench.loop = loop_new(&e);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, b), 0);
	setsockopt(b[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	relay_init(&bench.relay, bench.loop, bench_over);
	bench.relay.side[0].fd = a[0];
	bench.relay.side[1].fd = b[0];
	bench.left = a[1];
	bench.right = b[1];
	return 0;
}

static int bench_teardown(void **unused)
{
	(void)unused;
	relay_close(&bench.relay);
	fd_close(&bench.left);
	fd_close(&bench.right);
	loop_free(bench.loop);
	return 0;
}

static void test_bytes_pass_both_ways(void **unused)
{
	char got[16];

	(void)unused;
	buf_adds(&bench.relay.side[0].rest, "OK\n");
	relay_start(&bench.relay);
	assert_int_equal(write(bench.left, "ping", 4), 4);
	assert_int_equal(write(bench.right, "pong", 4), 4);
	bench_turn();
	assert_int_equal(read(bench.right, got, sizeof(got)), 4);
	assert_memory_equal(got, "ping", 4);
	assert_int_equal(read(bench.left, got, sizeof(got)), 7);
	assert_memory_equal(got, "OK\npong", 7);
}

static void test_a_side_that_does_not_read_stops_the_other(void **unused)
{
	static char piece[64 * 1024];
	size_t written = 0, got = 0;
	ssize_t n;

	(void)unused;
	relay_start(&bench.relay);
	for (int i = 0; i < 100; i++) {
		n = write(bench.left, piece, sizeof(piece));
		written += n > 0 ? (size_t)n : 0;
		bench_turn();
	}
	assert_true(written < 2 * MIB);
	assert_true(bench.relay.side[1].rest.size <= 64 * KIB);
	assert_int_equal(bench.relay.side[0].watch.active, false);
	shutdown(bench.left, SHUT_WR);
	for (int i = 0; i < 1000 && got < written; i++) {
		n = read(bench.right, piece, sizeof(piece));
		got += n > 0 ? (size_t)n : 0;
		bench_turn();
	}
	assert_int_equal(got, written);
	bench_turn();
	assert_int_equal(read(bench.right, piece, 1), 0);
	assert_false(bench.over);
}

static void test_an_end_is_passed_on_and_the_other_way_goes_on(void **unused)
{
	char got[8];

	(void)unused;
	relay_start(&bench.relay);
	shutdown(bench.left, SHUT_WR);
	bench_turn();
	assert_int_equal(read(bench.right, got, sizeof(got)), 0);
	assert_int_equal(write(bench.right, "late", 4), 4);
	bench_turn();
	assert_int_equal(read(bench.left, got, sizeof(got)), 4);
	assert_false(bench.over);
	shutdown(bench.right, SHUT_WR);
	bench_turn();
	assert_true(bench.over);
	assert_false(bench.broken);
}

static void test_what_was_sent_before_a_close_still_arrives(void **unused)
{
	char got[16];

	(void)unused;
	relay_start(&bench.relay);
	assert_int_equal(write(bench.right, "farewell", 8), 8);
	fd_close(&bench.right);
	bench_turn();
	assert_int_equal(read(bench.left, got, sizeof(got)), 8);
	assert_int_equal(read(bench.left, got, sizeof(got)), 0);
}

static void test_a_side_that_is_gone_ends_the_relay_when_written_to(void **unused)
{
	(void)unused;
	relay_start(&bench.relay);
	fd_close(&bench.right);
	bench_turn();
	assert_int_equal(write(bench.left, "x", 1), 1);
	bench_turn();
	assert_true(bench.over);
	assert_true(bench.broken);
}

/* The application's answer fills the socket to the host, which does not read. */
static void fill_left(void)
{
	static char piece[4096];

	for (int i = 0; i < 1000; i++) {
		(void)!write(bench.right, piece, sizeof(piece));
		bench_turn();
	}
}

/* What the left side can read until its end.  A relay that is over may have reset it behind the
 * last byte. */
static size_t left_reads_all(void)
{
	static char piece[64 * 1024];
	size_t got = 0;

	for (int i = 0; i < 1000; i++) {
		ssize_t n = read(bench.left, piece, sizeof(piece));

		if (!n || (n < 0 && errno == ECONNRESET && bench.over && bench.broken))
			return got;
		assert_true(n > 0 || errno == EAGAIN);
		got += n > 0 ? (size_t)n : 0;
		bench_turn();
	}
	fail_msg("no end after %zu bytes", got);
	return 0;
}

static void left_uploads(void)
{
	static const char piece[16 * 1024];

	for (int i = 0; i < 20; i++) {
		(void)!write(bench.left, piece, sizeof(piece));
		bench_turn();
	}
}

enum upload { UPLOAD_NONE, UPLOAD_BEFORE, UPLOAD_BETWEEN, UPLOAD_AFTER };

/* An application (right) answers and closes while an upload comes, is on its way, or has been
 * queued for it; the host (left) gets the answer and an end. */
static void test_an_early_answer_reaches_the_host_whole(void **unused)
{
	static const struct {
		const char *name;
		enum upload upload;
		size_t answer;
		bool half; /* it ends its side first, and closes later */
	} rows[] = {
		{ "no upload", UPLOAD_NONE, 1000, false },
		{ "queued before the answer", UPLOAD_BEFORE, 1000, false },
		{ "queued before a long answer", UPLOAD_BEFORE, 60000, false },
		{ "between the answer and the close", UPLOAD_BETWEEN, 1000, false },
		{ "after the close", UPLOAD_AFTER, 1000, false },
		{ "after a half close", UPLOAD_AFTER, 1000, true },
		{ "before a half close", UPLOAD_BEFORE, 60000, true },
		{ "no answer", UPLOAD_BEFORE, 0, false },
	};
	static char answer[60000];

	bench_teardown(unused);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t got;

		bench_setup(unused);
		relay_start(&bench.relay);
		if (rows[i].upload == UPLOAD_BEFORE)
			left_uploads();
		assert_int_equal(write(bench.right, answer, rows[i].answer), rows[i].answer);
		if (rows[i].upload == UPLOAD_BETWEEN)
			left_uploads();
		if (rows[i].half) {
			shutdown(bench.right, SHUT_WR);
			bench_turn();
		}
		fd_close(&bench.right);
		if (rows[i].upload == UPLOAD_AFTER)
			left_uploads();
		got = left_reads_all();
		if (got != rows[i].answer)
			fail_msg("%s: %zu bytes", rows[i].name, got);
		/* The relay lasts until the host has ended its side too, or has got all. */
		shutdown(bench.left, SHUT_WR);
		bench_turn();
		if (!bench.over)
			fail_msg("%s: the relay goes on", rows[i].name);
		bench_teardown(unused);
	}
	bench_setup(unused);
}

/* The answer waits in the relay, because the host is slow, when the application resets. */
static void test_a_reset_does_not_overtake_an_answer_that_waits(void **unused)
{
	static char piece[4096];
	size_t sent = 0;

	(void)unused;
	relay_start(&bench.relay);
	for (int i = 0; i < 1000; i++) {
		ssize_t n = write(bench.right, piece, sizeof(piece));

		sent += n > 0 ? (size_t)n : 0;
		bench_turn();
	}
	left_uploads();
	fd_close(&bench.right);
	bench_turn();
	left_uploads();
	assert_false(bench.over);
	assert_int_equal(left_reads_all(), sent);
}

static void test_an_upload_for_a_gone_application_is_taken_and_not_kept(void **unused)
{
	static char piece[16 * 1024];
	size_t taken = 0;

	(void)unused;
	relay_start(&bench.relay);
	fill_left();
	fd_close(&bench.right);
	bench_turn();
	for (int i = 0; i < 100; i++) {
		ssize_t n = write(bench.left, piece, sizeof(piece));

		taken += n > 0 ? (size_t)n : 0;
		bench_turn();
	}
	assert_true(taken >= 1 * MIB);
	assert_int_equal(bench.relay.side[1].rest.size, 0);
	assert_false(bench.over);
}

#define RELAY_TEST(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RELAY_TEST(test_bytes_pass_both_ways),
		RELAY_TEST(test_a_side_that_does_not_read_stops_the_other),
		RELAY_TEST(test_an_end_is_passed_on_and_the_other_way_goes_on),
		RELAY_TEST(test_what_was_sent_before_a_close_still_arrives),
		RELAY_TEST(test_an_early_answer_reaches_the_host_whole),
		RELAY_TEST(test_a_reset_does_not_overtake_an_answer_that_waits),
		RELAY_TEST(test_an_upload_for_a_gone_application_is_taken_and_not_kept),
		RELAY_TEST(test_a_side_that_is_gone_ends_the_relay_when_written_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
