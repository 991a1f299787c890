/* stream.sock over a device that is not one: what the guest has sent arrives, whatever ends first.
 */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/stream.h"
#include "vmm/virtio/queue.h"

static struct {
	struct loop *loop;
	struct streams streams;
	struct timer timer;
	struct vsock_conn *conn; /* the last one; NULL: aborted */
	int listen, peer;
} t;

/* The device. */

bool vsock_connect(struct vsock *v, struct vsock_conn *c, uint32_t guest_port,
		   const struct vsock_end_ops *ops)
{
	(void)guest_port;
	c->vsock = v;
	c->ops = ops;
	t.conn = c;
	return true;
}

void vsock_taken(struct vsock_conn *c, uint32_t n)
{
	(void)n;
	assert_ptr_equal(c, t.conn);
}

void vsock_kick(struct vsock_conn *c)
{
	assert_ptr_equal(c, t.conn);
}

void vsock_readable(struct vsock_conn *c)
{
	assert_ptr_equal(c, t.conn);
}

void vsock_abort(struct vsock_conn *c)
{
	assert_ptr_equal(c, t.conn);
	t.conn = NULL;
}

static void fire(struct timer *timer)
{
	(void)timer;
	loop_stop(t.loop);
}

static void turn(void)
{
	struct err e;

	for (int i = 0; i < 4; i++) {
		loop_timer(t.loop, &t.timer, 0, fire);
		assert_int_equal(loop_run(t.loop, &e), 0);
	}
}

static int begin(void **unused)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(at);
	struct err e;

	(void)unused;
	memset(&t, 0, sizeof(t));
	t.loop = loop_new(&e);
	t.listen = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(t.listen, (struct sockaddr *)&at, sizeof(at.sun_family)), 0);
	assert_int_equal(listen(t.listen, 1), 0);
	assert_int_equal(getsockname(t.listen, (struct sockaddr *)&at, &size), 0);
	assert_int_equal(streams_open(&t.streams, t.loop, NULL, t.listen, &e), 0);
	t.peer = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(t.peer, (struct sockaddr *)&at, size), 0);
	turn();
	assert_non_null(t.conn);
	t.conn->ops->opened(t.conn);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	fd_close(&t.peer);
	turn();
	loop_unwatch(t.loop, &t.streams.listen);
	fd_close(&t.listen);
	loop_free(t.loop);
	return 0;
}

static void guest_sends(size_t size)
{
	static char bytes[64 * KIB];
	struct iovec at[2] = { { bytes, size } };
	struct span span = { .at = at, .n = 1, .size = size };

	assert_true(t.conn->ops->put(t.conn, &span));
}

/* How much the peer can read until the end; an error is none. */
static size_t peer_reads_all(void)
{
	static char bytes[64 * KIB];
	size_t got = 0;
	ssize_t n;

	for (int i = 0; i < 1000; i++) {
		n = read(t.peer, bytes, sizeof(bytes));
		if (!n)
			return got;
		assert_true(n > 0 || errno == EAGAIN);
		got += n > 0 ? (size_t)n : 0;
		turn();
	}
	fail_msg("no end after %zu bytes", got);
	return 0;
}

static void peer_uploads(void)
{
	static const char bytes[32 * KIB];

	assert_int_equal(write(t.peer, bytes, sizeof(bytes)), sizeof(bytes));
	turn();
}

static void test_an_answer_arrives_although_the_upload_was_not_read(void **unused)
{
	(void)unused;
	peer_uploads();
	guest_sends(3000);
	t.conn->ops->finish(t.conn);
	t.conn->ops->closed(t.conn, false);
	assert_int_equal(peer_reads_all(), 3000);
}

static void test_a_guest_that_resets_takes_nothing_back(void **unused)
{
	size_t sent = 0;

	(void)unused;
	peer_uploads();
	for (; sent < 16 * 64 * KIB; sent += 64 * KIB) /* more than the kernel keeps on the way */
		guest_sends(64 * KIB);
	t.conn->ops->closed(t.conn, false);
	assert_int_equal(t.streams.n_over, 1);
	t.conn = NULL; /* nobody asks the device for it any more */
	turn();
	assert_int_equal(peer_reads_all(), sent);
	assert_int_equal(t.streams.n_over, 0);
}

static void test_a_peer_that_goes_away_ends_what_was_kept_for_it(void **unused)
{
	(void)unused;
	for (int i = 0; i < 16; i++)
		guest_sends(64 * KIB);
	t.conn->ops->closed(t.conn, false);
	t.conn = NULL;
	fd_close(&t.peer);
	turn();
	assert_int_equal(t.streams.n_over, 0);
}

static void test_a_refusal_is_told(void **unused)
{
	char text[64] = "";

	(void)unused;
	t.conn->ops->closed(t.conn, true);
	assert_true(read(t.peer, text, sizeof(text) - 1) > 0);
	assert_memory_equal(text, "ERR ", 4);
}

#define STREAM_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(test_an_answer_arrives_although_the_upload_was_not_read),
		STREAM_TEST(test_a_guest_that_resets_takes_nothing_back),
		STREAM_TEST(test_a_peer_that_goes_away_ends_what_was_kept_for_it),
		STREAM_TEST(test_a_refusal_is_told),
	};

	signal(SIGPIPE, SIG_IGN); /* as main.c does */
	return cmocka_run_group_tests_name("vmm/stream", tests, NULL, NULL);
}
