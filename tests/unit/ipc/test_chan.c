/* Messages between our processes: order, descriptors, and what is refused. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/chan.h"

struct ping {
	uint64_t n;
};

static const struct ipc_row rows[] = {
	{ NULL, 0, 0, 0, 0 },
	{ "ping", sizeof(struct ping), 0, 0, 0 },
	{ "give", sizeof(struct ping), 0, 1, 2 },
	{ "bytes", 0, LIMIT_IPC_BODY, 0, 0 },
};

static int pair[2];

static int shortage, shortages; /* the errno of so many calls to come */

ssize_t __real_sendmsg(int sock, const struct msghdr *msg, int flags);
ssize_t __real_recvmsg(int sock, struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int sock, const struct msghdr *msg, int flags);
ssize_t __wrap_recvmsg(int sock, struct msghdr *msg, int flags);

static bool is_short(void)
{
	if (!shortages)
		return false;
	shortages--;
	errno = shortage;
	return true;
}

ssize_t __wrap_sendmsg(int sock, const struct msghdr *msg, int flags)
{
	return is_short() ? -1 : __real_sendmsg(sock, msg, flags);
}

ssize_t __wrap_recvmsg(int sock, struct msghdr *msg, int flags)
{
	return is_short() ? -1 : __real_recvmsg(sock, msg, flags);
}

static int setup(void **unused)
{
	struct err e;

	(void)unused;
	return ipc_pair(pair, &e);
}

static int teardown(void **unused)
{
	(void)unused;
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return 0;
}

static void test_a_message_arrives_with_its_descriptors(void **unused)
{
	static struct ipc_msg m;
	struct ping body = { 7 };
	struct ipc_head head = { 2, sizeof(body), 99 };
	int fds[1] = { STDERR_FILENO };

	(void)unused;
	assert_int_equal(ipc_send(pair[0], &head, &body, fds, 1), 0);
	assert_int_equal(ipc_recv(pair[1], &m, rows, ARRAY_SIZE(rows)), 1);
	assert_int_equal(m.head.tag, 99);
	assert_int_equal(m.n_fds, 1);
	assert_int_equal(((struct ping *)(void *)m.body)->n, 7);
	ipc_msg_close(&m);
}

static void test_what_is_not_in_the_table_breaks_the_connection(void **unused)
{
	static struct ipc_msg m;
	struct ping body = { 7 };
	const struct ipc_head bad[] = {
		{ 0, sizeof(body), 0 }, /* a type that nobody may send */
		{ 9, sizeof(body), 0 }, /* an unknown type */
		{ 1, 3, 0 },            /* too short */
		{ 2, sizeof(body), 0 }, /* its descriptor is missing */
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(ipc_send(pair[0], &bad[i], &body, NULL, 0), 0);
		assert_int_equal(ipc_recv(pair[1], &m, rows, ARRAY_SIZE(rows)), -EBADMSG);
	}
}

static void test_a_full_socket_queues_and_keeps_the_order(void **unused)
{
	static struct ipc_msg m;
	struct chan c;
	uint64_t sent = 0, got = 0;

	(void)unused;
	chan_init(&c, dup(pair[0]), rows, ARRAY_SIZE(rows));
	while (!chan_wants_write(&c) || sent % 10) {
		uint64_t body[1000] = { sent };

		assert_int_equal(chan_send(&c, 3, 0, body, sizeof(body), NULL, 0), 0);
		sent++;
	}
	while (got < sent) {
		int rc = ipc_recv(pair[1], &m, rows, ARRAY_SIZE(rows));

		if (rc == -EAGAIN) {
			assert_int_equal(chan_flush(&c), 0);
			continue;
		}
		assert_int_equal(rc, 1);
		assert_true(*(uint64_t *)(void *)m.body == got);
		got++;
	}
	assert_false(chan_wants_write(&c));
	chan_close(&c);
}

static void test_a_shortage_of_the_host_delays_a_message(void **unused)
{
	static const int errors[] = { ENOMEM, ENOBUFS, ETOOMANYREFS };
	static struct ipc_msg m;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct ping body = { i };
		struct chan c;

		chan_init(&c, dup(pair[0]), rows, ARRAY_SIZE(rows));
		shortage = errors[i];
		shortages = 2;
		assert_int_equal(chan_send(&c, 1, 0, &body, sizeof(body), NULL, 0), 0);
		assert_int_equal(chan_flush(&c), 0);
		assert_true(chan_wants_write(&c));
		assert_int_equal(chan_flush(&c), 0);
		assert_false(chan_wants_write(&c));
		shortages = 1;
		assert_int_equal(ipc_recv(pair[1], &m, rows, ARRAY_SIZE(rows)), -EAGAIN);
		assert_int_equal(ipc_recv(pair[1], &m, rows, ARRAY_SIZE(rows)), 1);
		assert_int_equal(((struct ping *)(void *)m.body)->n, i);
		chan_close(&c);
	}
}

static void test_the_end_of_a_connection_is_told(void **unused)
{
	static struct ipc_msg m;

	(void)unused;
	fd_close(&pair[0]);
	assert_int_equal(ipc_recv(pair[1], &m, rows, ARRAY_SIZE(rows)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_message_arrives_with_its_descriptors, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_what_is_not_in_the_table_breaks_the_connection,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_full_socket_queues_and_keeps_the_order,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_shortage_of_the_host_delays_a_message, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_the_end_of_a_connection_is_told, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("ipc/chan", tests, NULL, NULL);
}
