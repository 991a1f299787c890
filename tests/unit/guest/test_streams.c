/* The line that asks for a port, and what is answered to it. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest/loopback.h"
#include "guest/streams.h"

static struct {
	struct loop *loop;
	struct streams streams;
	struct hostlink host;
	struct timer timer;
	struct sockaddr_un at;
	socklen_t at_size;
	int app;                 /* what the last connection leads to */
	unsigned connects;       /* how often it was connected to */
	bool pends;              /* a connect is not answered */
	bool lives_on_six, dead; /* of datagrams */
	bool blind;              /* the kernel's list cannot be read */
	struct diag_ports ports; /* that listen */
	uint32_t room;           /* in their backlogs */
} t;

int loopback_connect(uint16_t port, bool six, bool *done)
{
	int pair[2];

	(void)port, (void)six;
	t.connects++;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	if (t.app >= 0)
		close(t.app);
	t.app = pair[1];
	*done = !t.pends;
	if (t.pends) { /* nor is there room to write, which would be an answer */
		static char bytes[4096];

		while (send(pair[0], bytes, sizeof(bytes), 0) > 0)
			;
	}
	return pair[0];
}

int loopback_result(int fd)
{
	(void)fd;
	return t.dead ? -ECONNREFUSED : 0;
}

/* Nobody waits on the address that the test does not name. */
int loopback_datagrams(uint16_t port, bool six)
{
	int pair[2];

	(void)port;
	t.connects++;
	t.dead = six != t.lives_on_six;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	if (t.app >= 0)
		close(t.app);
	t.app = pair[1];
	return pair[0];
}

int diag_listening(int fd, struct diag_ports *ports)
{
	(void)fd;
	*ports = t.ports;
	return 0;
}

int diag_room(int fd, struct diag_port *port)
{
	(void)fd;
	port->listens = t.ports.bits[port->port / 64] & 1ULL << port->port % 64;
	port->room = t.room;
	return t.blind ? -1 : 0;
}

static bool anybody(const struct sockaddr_storage *peer)
{
	(void)peer;
	return true;
}

static int begin(void **unused)
{
	struct err e;

	(void)unused;
	memset(&t, 0, sizeof(t));
	t.app = -1;
	t.room = 1;
	t.loop = loop_new(&e);
	t.host.streams = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	t.host.is_host = anybody;
	t.at.sun_family = AF_UNIX;
	t.at_size = sizeof(t.at);
	assert_int_equal(bind(t.host.streams, (struct sockaddr *)&t.at, sizeof(t.at.sun_family)),
			 0);
	assert_int_equal(listen(t.host.streams, 4), 0);
	assert_int_equal(getsockname(t.host.streams, (struct sockaddr *)&t.at, &t.at_size), 0);
	assert_int_equal(streams_open(&t.streams, t.loop, &t.host, -1, &e), 0);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	streams_reset(&t.streams);
	loop_unwatch(t.loop, &t.streams.watch);
	loop_free(t.loop);
	close(t.host.streams);
	if (t.app >= 0)
		close(t.app);
	return 0;
}

static void fire(struct timer *timer)
{
	(void)timer;
	loop_stop(t.loop);
}

static void turn(void)
{
	struct err e;

	loop_timer(t.loop, &t.timer, 1, fire);
	assert_int_equal(loop_run(t.loop, &e), 0);
}

/* A host that asks for this port; *answer is what it is told. */
static int host_sends(const char *line, size_t size, char answer[64])
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), n = -1;

	assert_int_equal(connect(fd, (struct sockaddr *)&t.at, t.at_size), 0);
	assert_int_equal(write(fd, line, size), size);
	for (int i = 0; i < 1000 && n < 0; i++) {
		turn();
		n = (int)read(fd, answer, 63);
	}
	assert_true(n > 0);
	answer[n] = '\0';
	return fd;
}

static int host_asks(unsigned port, const char *after, char answer[64])
{
	char line[64];

	snprintf(line, sizeof(line), "CONNECT %u\n%s", port, after);
	return host_sends(line, strlen(line), answer);
}

static const char *ask(unsigned port)
{
	static char answer[64];

	close(host_asks(port, "", answer));
	turn(); /* the stream sees the end */
	turn();
	return answer;
}

static void listens(unsigned port, bool on)
{
	uint64_t bit = 1ULL << port % 64;

	t.ports.bits[port / 64] = (t.ports.bits[port / 64] & ~bit) | (on ? bit : 0);
}

static void test_a_port_that_never_opened_is_starting_and_one_that_closed_is_refused(void **unused)
{
	(void)unused;
	assert_string_equal(ask(80), "ERR starting\n");
	listens(80, true);
	assert_string_equal(ask(80), "OK\n");
	listens(80, false);
	assert_string_equal(ask(80), "ERR refused\n");
	assert_string_equal(ask(81), "ERR starting\n");
	t.blind = true;
	assert_string_equal(ask(81), "ERR unreachable\n");
}

static void test_the_ports_of_the_snapshot_are_those_that_opened(void **unused)
{
	(void)unused;
	listens(9000, true);
	assert_string_equal(ask(9000), "OK\n"); /* by the build, and closed before its snapshot */
	listens(9000, false);
	listens(8080, true);
	streams_note_ports(&t.streams);
	listens(8080, false);
	assert_string_equal(ask(8080), "ERR refused\n");
	assert_string_equal(ask(9000), "ERR starting\n");
}

static void test_a_backlog_has_as_many_streams_as_it_has_room(void **unused)
{
	char answer[3][64];
	int host[3];

	(void)unused;
	listens(80, true);
	t.room = 2;
	for (size_t i = 0; i < ARRAY_SIZE(host); i++)
		host[i] = host_asks(80, "", answer[i]);
	assert_string_equal(answer[0], "OK\n");
	assert_string_equal(answer[1], "OK\n");
	assert_string_equal(answer[2], "ERR busy\n");
	close(host[0]);
	turn();
	close(host[2]);
	host[2] = host_asks(80, "", answer[2]);
	assert_string_equal(answer[2], "OK\n"); /* who left holds no place */
	close(host[1]);
	close(host[2]);
}

static void test_the_application_gets_a_connection_with_its_first_byte(void **unused)
{
	char answer[64], got[16] = "";
	int host;

	(void)unused;
	listens(80, true);
	host = host_asks(80, "", answer);
	turn();
	assert_int_equal(t.connects, 0);
	assert_int_equal(write(host, "ping", 4), 4);
	turn();
	assert_int_equal(t.connects, 1);
	turn();
	assert_int_equal(read(t.app, got, sizeof(got)), 4);
	assert_string_equal(got, "ping");
	close(host);
	host = host_asks(80, "early", answer); /* a byte that comes with the line is one too */
	turn();
	assert_int_equal(read(t.app, got, sizeof(got)), 5);
	close(host);
}

static void test_a_connection_that_the_backlog_dropped_is_tried_again(void **unused)
{
	char answer[64], got[16] = "";
	int host;

	(void)unused;
	listens(80, true);
	t.pends = true;
	host = host_asks(80, "ping", answer);
	for (int i = 0; i < 1000 && t.connects < 3; i++)
		turn();
	assert_int_equal(t.connects, 3);
	t.pends = false;
	for (int i = 0; i < 1000 && t.connects < 4; i++)
		turn();
	for (int i = 0; i < 1000 && read(t.app, got, sizeof(got)) <= 0; i++)
		turn();
	assert_string_equal(got, "ping");
	close(host);
}

static void test_an_application_that_speaks_first_gets_its_connection_at_once(void **unused)
{
	char answer[64];
	int host;

	(void)unused;
	listens(25, true);
	host = host_sends("CONNECT 25 now\n", 15, answer);
	assert_string_equal(answer, "OK\n");
	turn();
	assert_int_equal(t.connects, 1);
	assert_int_equal(write(t.app, "220 hello", 9), 9);
	for (int i = 0; i < 1000 && read(host, answer, sizeof(answer)) <= 0; i++)
		turn();
	assert_memory_equal(answer, "220 hello", 9);
	close(host);
}

static void test_datagrams_go_both_ways_whole(void **unused)
{
	char answer[64], got[64];
	int host;

	(void)unused;
	host = host_sends("CONNECT 53 udp\n\0\3one", 20, answer);
	assert_string_equal(answer, "OK\n");
	assert_int_equal(read(t.app, got, sizeof(got)), 3);
	assert_memory_equal(got, "one", 3);
	assert_int_equal(write(host, "\0\3tw", 4), 4); /* cut anywhere */
	turn();
	assert_int_equal(read(t.app, got, sizeof(got)), -1);
	assert_int_equal(write(host, "o\0\0\0\4more", 9), 9);
	turn();
	assert_int_equal(read(t.app, got, sizeof(got)), 3);
	assert_int_equal(read(t.app, got, sizeof(got)), 0);
	assert_int_equal(read(t.app, got, sizeof(got)), 4);
	assert_int_equal(send(t.app, "", 0, 0), 0);
	assert_int_equal(send(t.app, "back", 4, 0), 4);
	turn();
	assert_int_equal(read(host, got, sizeof(got)), 8);
	assert_memory_equal(got, "\0\0\0\4back", 8);
	close(host);
	turn();
	assert_int_equal(t.streams.n, 0);
}

static void test_datagrams_find_an_application_that_has_ipv6_alone(void **unused)
{
	char answer[64], got[64];
	int host;

	(void)unused;
	t.lives_on_six = true;
	host = host_sends("CONNECT 53 udp\n\0\3one", 20, answer);
	assert_int_equal(t.connects, 2);
	assert_int_equal(read(t.app, got, sizeof(got)), 3);
	assert_int_equal(write(host, "\0\3two", 5), 5);
	turn();
	assert_int_equal(read(t.app, got, sizeof(got)), 3);
	assert_int_equal(t.connects, 2); /* it is known now */
	close(host);
}

static void test_what_is_no_frame_ends_the_flow(void **unused)
{
	char answer[64];
	int host = host_sends("CONNECT 53 udp\n", 15, answer);

	(void)unused;
	assert_int_equal(write(host, "\xff\xff", 2), 2);
	turn();
	assert_int_equal(t.streams.n, 0);
	assert_true(read(host, answer, sizeof(answer)) <= 0);
	close(host);
}

#define STREAMS_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAMS_TEST(
			test_a_port_that_never_opened_is_starting_and_one_that_closed_is_refused),
		STREAMS_TEST(test_the_ports_of_the_snapshot_are_those_that_opened),
		STREAMS_TEST(test_a_backlog_has_as_many_streams_as_it_has_room),
		STREAMS_TEST(test_the_application_gets_a_connection_with_its_first_byte),
		STREAMS_TEST(test_a_connection_that_the_backlog_dropped_is_tried_again),
		STREAMS_TEST(test_an_application_that_speaks_first_gets_its_connection_at_once),
		STREAMS_TEST(test_datagrams_go_both_ways_whole),
		STREAMS_TEST(test_datagrams_find_an_application_that_has_ipv6_alone),
		STREAMS_TEST(test_what_is_no_frame_ends_the_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
