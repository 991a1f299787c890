/* Listeners of the endpoints: several at one port, of one doze alone. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dozed/listeners.h"

static void choose_ports(struct conf *conf)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int64_t *const ports[] = { &conf->api_port, &conf->s3_port, &conf->endpoint_port };
	int fds[ARRAY_SIZE(ports)];

	conf_defaults(conf, "");
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		socklen_t size = sizeof(any);

		any.sin_port = 0;
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(fds[i], (struct sockaddr *)&any, sizeof(any)), 0);
		assert_int_equal(getsockname(fds[i], (struct sockaddr *)&any, &size), 0);
		*ports[i] = ntohs(any.sin_port);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		close(fds[i]);
}

static void close_all(struct listeners *l)
{
	while (l->n)
		close(l->each[--l->n].fd);
}

static int visit(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void test_connections_are_spread_among_the_workers(void **unused)
{
	struct pollfd waits[3];
	struct listeners l;
	struct conf conf;
	unsigned met[3] = { 0 };
	int clients[64];
	struct err e;

	(void)unused;
	choose_ports(&conf);
	assert_int_equal(listeners_open(&l, &conf, 3, &e), 0);
	for (size_t i = 0, n = 0; i < l.n && n < 3; i++)
		if (l.each[i].which == LISTENER_ENDPOINT)
			waits[n++] = (struct pollfd){ .fd = l.each[i].fd, .events = POLLIN };
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		clients[i] = visit((uint16_t)conf.endpoint_port);
	for (size_t i = 0, all = 0; all < ARRAY_SIZE(clients); i = (i + 1) % 3) {
		int fd;

		assert_true(poll(waits, 3, 10000) > 0);
		while ((fd = accept4(waits[i].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
			met[i]++;
			all++;
			close(fd);
		}
	}
	for (size_t i = 0; i < 3; i++)
		assert_true(met[i] > 0);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		close(clients[i]);
	close_all(&l);
}

static void test_each_worker_has_listeners_of_its_own(void **unused)
{
	struct listeners l;
	struct conf conf;
	unsigned of[4] = { 0 };
	struct err e;

	(void)unused;
	choose_ports(&conf);
	assert_int_equal(listeners_open(&l, &conf, 4, &e), 0);
	for (size_t i = 0; i < l.n; i++)
		if (l.each[i].which == LISTENER_ENDPOINT)
			of[l.each[i].worker]++;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(of[i], of[0]);
	assert_true(of[0] > 0);
	close_all(&l);
}

/* Sockets that share a port may be anybody's: connections would go now here, now there. */
static void test_another_doze_does_not_share_the_port(void **unused)
{
	struct listeners first, second;
	struct conf conf, other;
	struct err e;

	(void)unused;
	choose_ports(&conf);
	choose_ports(&other);
	assert_int_equal(listeners_open(&first, &conf, 2, &e), 0);
	other.endpoint_port = conf.endpoint_port;
	assert_int_equal(listeners_open(&second, &other, 2, &e), 0);
	for (size_t i = 0; i < second.n; i++)
		if (second.each[i].which == LISTENER_ENDPOINT)
			assert_int_not_equal(second.each[i].port, conf.endpoint_port);
	close_all(&second);
	close_all(&first);
}

static void test_the_largest_number_of_workers_has_room(void **unused)
{
	struct listeners l;
	struct conf conf;
	struct err e;

	(void)unused;
	choose_ports(&conf);
	assert_int_equal(listeners_open(&l, &conf, SUPER_WORKERS, &e), 0);
	assert_true(l.n <= LISTENERS_MAX);
	close_all(&l);
}

static void test_the_addresses_that_are_given_are_listened_on(void **unused)
{
	struct listeners l;
	struct conf conf;
	bool met = false;
	struct err e;

	(void)unused;
	choose_ports(&conf);
	strcpy(conf.listen, "127.8.8.8");
	assert_int_equal(listeners_open(&l, &conf, 1, &e), 0);
	for (size_t i = 0; i < l.n; i++) {
		struct sockaddr_in at = { 0 };
		socklen_t size = sizeof(at);

		if (l.each[i].which == LISTENER_METRICS ||
		    getsockname(l.each[i].fd, (struct sockaddr *)&at, &size))
			continue;
		met |= l.each[i].which == LISTENER_API && at.sin_family == AF_INET &&
		       at.sin_addr.s_addr == htonl(0x7f080808);
	}
	assert_true(met);
	close_all(&l);
}

static void test_an_address_of_another_host_is_refused_by_name(void **unused)
{
	struct listeners l;
	struct conf conf;
	struct err e;

	(void)unused;
	choose_ports(&conf);
	strcpy(conf.listen, "192.0.2.7");
	assert_int_equal(listeners_open(&l, &conf, 1, &e), -1);
	assert_non_null(strstr(e.text, "192.0.2.7"));
	assert_non_null(strstr(e.text, "[service] listen"));
	assert_int_equal(l.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections_are_spread_among_the_workers),
		cmocka_unit_test(test_each_worker_has_listeners_of_its_own),
		cmocka_unit_test(test_another_doze_does_not_share_the_port),
		cmocka_unit_test(test_the_largest_number_of_workers_has_room),
		cmocka_unit_test(test_the_addresses_that_are_given_are_listened_on),
		cmocka_unit_test(test_an_address_of_another_host_is_refused_by_name),
	};

	return cmocka_run_group_tests_name("dozed/listeners", tests, NULL, NULL);
}
