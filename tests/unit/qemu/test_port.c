/* The socket between an agent's stream and QEMU. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "qemu/port.h"
#include "wire/agent.h"

struct fixture {
	struct port port;
	struct loop *loop;
	int guest; /* the other end of the port */
	bool owner;
	size_t got;
};

static bool fixture_deliver(struct agent *a, const uint8_t *frames, size_t size)
{
	struct fixture *f = container_of(a, struct fixture, port.agent);

	(void)frames;
	f->got += f->owner ? size : 0;
	return f->owner;
}

static void fixture_fault(struct agent *a)
{
	(void)a;
	fail_msg("these are frames");
}

static void fixture_open(struct fixture *f)
{
	struct err e;
	int pair[2];

	*f = (struct fixture){ .owner = true };
	f->loop = loop_new(&e);
	port_init(&f->port, f->loop);
	f->port.agent.deliver = fixture_deliver;
	f->port.agent.fault = fixture_fault;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	f->guest = pair[1];
	assert_int_equal(port_open(&f->port, pair[0], &e), 0);
}

static void fixture_close(struct fixture *f)
{
	port_close(&f->port);
	close(f->guest);
	loop_free(f->loop);
}

static void make_frame(struct buf *b, size_t size)
{
	size_t mark = agent_begin(b, AGENT_LOG);
	autofree uint8_t *bytes = xcalloc(1, size);

	agent_put(b, FIELD_BYTES, bytes, size);
	agent_end(b, mark);
}

static void test_what_the_port_has_is_read_and_no_more_than_there_is_room_for(void **unused)
{
	autobuf struct buf frame = { 0 };
	struct fixture f;
	size_t sent = 0;

	(void)unused;
	fixture_open(&f);
	f.owner = false;
	make_frame(&frame, 10000);
	while (send(f.guest, frame.data, frame.size, MSG_DONTWAIT) == (ssize_t)frame.size)
		sent += frame.size;
	assert_true(sent > LIMIT_AGENT_HELD);
	port_drain(&f.port);
	assert_int_equal(f.port.agent.from_guest.size, LIMIT_AGENT_HELD);
	assert_false(f.port.watch.events & EPOLLIN);
	f.owner = true;
	agent_kick(&f.port.agent);
	assert_true(f.port.watch.events & EPOLLIN);
	port_drain(&f.port);
	assert_true(f.got >= sent);
	fixture_close(&f);
}

static void test_what_the_guest_did_not_take_is_unsent(void **unused)
{
	autobuf struct buf frame = { 0 };
	uint8_t bytes[4096];
	struct fixture f;
	struct err e;

	(void)unused;
	fixture_open(&f);
	make_frame(&frame, 900000);
	assert_int_equal(port_unsent(&f.port), 0);
	assert_int_equal(agent_put_bytes(&f.port.agent, frame.data, frame.size, &e), 0);
	assert_true(port_unsent(&f.port) >= frame.size); /* in our memory and in the socket's */
	assert_true(f.port.watch.events & EPOLLOUT);
	for (size_t got = 0; got < frame.size;) {
		ssize_t n = recv(f.guest, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n > 0)
			got += (size_t)n;
		else
			agent_kick(&f.port.agent);
	}
	assert_int_equal(port_unsent(&f.port), 0);
	assert_false(f.port.watch.events & EPOLLOUT);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_port_has_is_read_and_no_more_than_there_is_room_for),
		cmocka_unit_test(test_what_the_guest_did_not_take_is_unsent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
