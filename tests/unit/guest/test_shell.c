/* A session and its connections, over a pair of sockets in place of a terminal. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest/shell.h"
#include "guest/shell_parts.h"

#define ID "0b39c1f2-5a57-4d3e-8a4b-111111111111"

static struct {
	struct loop *loop;
	struct app app;
	struct shells shells;
	struct timer timer;
	int program;  /* the other end of the last terminal */
	int report;   /* the other end of its report */
	int host;     /* of the last connection */
	int next_pid; /* 0: it cannot be started */
	struct buf got;
} t;

int shell_start(struct shell *s, int application, const struct app_spec *like, struct err *e)
{
	int terminal[2], report[2];

	(void)application, (void)like;
	if (!t.next_pid)
		return err_set(e, ERR_CONFLICT, "no process");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, terminal), 0);
	assert_int_equal(pipe2(report, O_NONBLOCK), 0);
	s->terminal = terminal[0];
	s->report = report[0];
	t.program = terminal[1];
	t.report = report[1];
	s->pid = t.next_pid++;
	return 0;
}

void shell_sweep(void)
{
}

static void on_time(struct timer *timer)
{
	(void)timer;
	loop_stop(t.loop);
}

/* What is ready is served. */
static void turn(void)
{
	struct err e;

	loop_timer(t.loop, &t.timer, 5, on_time);
	assert_int_equal(loop_run(t.loop, &e), 0);
}

static void connect_host(const void *early, size_t size)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	t.host = pair[1];
	shells_take(&t.shells, pair[0], early, size);
}

static void put_open(struct buf *frame, uint64_t attach, uint64_t offset)
{
	size_t mark = agent_begin(frame, SHELL_OPEN);

	agent_put_text(frame, SHELL_SESSION, ID);
	agent_put_u64(frame, SHELL_ATTACH, attach);
	agent_put_u64(frame, SHELL_OFFSET, offset);
	agent_end(frame, mark);
}

static void ask(uint64_t attach, uint64_t offset)
{
	autobuf struct buf frame = { 0 };

	put_open(&frame, attach, offset);
	connect_host(frame.data, frame.size);
}

static void say(enum shell_type type, const void *bytes, size_t size, uint64_t count)
{
	autobuf struct buf frame = { 0 };
	size_t mark = agent_begin(&frame, (uint8_t)type);

	if (bytes)
		agent_put(&frame, SHELL_BYTES, bytes, size);
	agent_put_u64(&frame, SHELL_COUNT, count);
	agent_end(&frame, mark);
	assert_int_equal(send(t.host, frame.data, frame.size, 0), frame.size);
	turn();
}

/* Take what the host was sent, and give the number of output bytes in it, which are in t.got. */
static size_t hear(unsigned seen[SHELL_NUM_TYPES], uint64_t *number)
{
	static uint8_t bytes[1 << 20];
	ssize_t n = recv(t.host, bytes, sizeof(bytes), 0);
	size_t at = n > 3 && !memcmp(bytes, "OK\n", 3) ? 3 : 0, used;
	struct agent_field_view v;
	struct agent_frame f;

	memset(seen, 0, SHELL_NUM_TYPES * sizeof(*seen));
	buf_clear(&t.got);
	while (n > 0 && agent_frame_next(bytes + at, (size_t)n - at, SHELL_FRAME, &f, &used) == 1) {
		size_t field = 0;

		at += used;
		seen[f.type]++;
		while (agent_field_next(&f, &field, &v) == 1) {
			if (f.type == SHELL_OUTPUT)
				buf_add(&t.got, v.data, v.size);
			else if (v.size == sizeof(*number))
				memcpy(number, v.data, sizeof(*number));
		}
	}
	return t.got.size;
}

static void print(size_t size)
{
	static uint8_t bytes[1 << 20];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i % 251);
	for (size_t done = 0; done < size;) {
		ssize_t n = send(t.program, bytes + done, size - done, MSG_NOSIGNAL);

		if (n < 0)
			break;
		done += (size_t)n;
		turn();
	}
}

static void starts(void)
{
	close(t.report);
	t.report = -1;
	turn();
}

static int begin(void **unused)
{
	struct err e;

	(void)unused;
	memset(&t, 0, sizeof(t));
	t.program = t.report = t.host = -1;
	t.next_pid = 100;
	t.app.pid = 1;
	t.loop = loop_new(&e);
	shells_init(&t.shells, t.loop, &t.app);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	shells_reset(&t.shells);
	list_each(s, &t.shells.sessions, struct shell, in) shell_free(s);
	assert_int_equal(t.shells.n_hosts + t.shells.n_sessions, 0);
	fd_close(&t.program);
	fd_close(&t.report);
	fd_close(&t.host);
	buf_free(&t.got);
	loop_free(t.loop);
	return 0;
}

static void test_it_is_open_when_the_program_has_started(void **unused)
{
	unsigned seen[SHELL_NUM_TYPES];
	uint64_t number = 1;

	(void)unused;
	ask(0, 0);
	turn();
	hear(seen, &number);
	assert_int_equal(seen[SHELL_OPENED], 0);
	starts();
	hear(seen, &number);
	assert_int_equal(seen[SHELL_OPENED], 1);
	assert_int_equal(number, 0);
	say(SHELL_INPUT, "ls\n", 3, 0);
	hear(seen, &number);
	assert_int_equal(seen[SHELL_ROOM], 1);
	assert_int_equal(number, 3);
}

static void test_what_cannot_start_is_refused(void **unused)
{
	unsigned seen[SHELL_NUM_TYPES];
	uint64_t number;

	(void)unused;
	ask(0, 0);
	assert_int_equal(write(t.report, "no shell", 8), 8);
	starts();
	hear(seen, &number);
	assert_int_equal(seen[SHELL_REFUSED], 1);
	assert_int_equal(t.shells.n_sessions, 0);
	close(t.host);
	t.next_pid = 0;
	ask(0, 0);
	hear(seen, &number);
	assert_int_equal(seen[SHELL_REFUSED], 1);
	close(t.host);
	t.next_pid = 1;
	t.app.pid = 0;
	ask(0, 0);
	hear(seen, &number);
	assert_int_equal(seen[SHELL_REFUSED], 1);
	close(t.host);
	ask(1, 0);
	hear(seen, &number);
	assert_int_equal(seen[SHELL_REFUSED], 1);
	turn();
}

static void test_output_waits_for_the_window_and_is_replayed(void **unused)
{
	unsigned seen[SHELL_NUM_TYPES];
	uint64_t number = 0;
	size_t first;

	(void)unused;
	ask(0, 0);
	starts();
	print(1 << 20);
	first = hear(seen, &number);
	assert_in_range(first, SHELL_WINDOW, SHELL_WINDOW + SHELL_PIECE);
	say(SHELL_TAKEN, NULL, 0, first);
	assert_true(hear(seen, &number) > 0);
	close(t.host);
	turn();
	print(1 << 20); /* nobody is there */
	ask(1, 1000);
	turn();
	first = hear(seen, &number);
	assert_int_equal(seen[SHELL_OPENED], 1);
	assert_int_equal(number, 1000);
	assert_in_range(first, SHELL_WINDOW, SHELL_WINDOW + SHELL_PIECE);
	list_each(s, &t.shells.sessions, struct shell, in) assert_true(s->ring.end <= SHELL_RING);
}

static void test_the_exit_follows_the_last_byte(void **unused)
{
	unsigned seen[SHELL_NUM_TYPES];
	uint64_t number = 0;

	(void)unused;
	ask(0, 0);
	starts();
	hear(seen, &number);
	assert_int_equal(send(t.program, "last", 4, 0), 4);
	close(t.program);
	t.program = -1;
	shells_reaped(&t.shells, 100, 7 << 8);
	assert_int_equal(hear(seen, &number), 4);
	assert_int_equal(seen[SHELL_EXITED], 1);
	assert_int_equal(number, 7);
	assert_int_equal(t.shells.n_sessions, 0);
}

static void test_an_exit_waits_for_who_comes_back(void **unused)
{
	unsigned seen[SHELL_NUM_TYPES];
	uint64_t number = 0;

	(void)unused;
	ask(0, 0);
	starts();
	shells_reset(&t.shells);
	close(t.host);
	assert_int_equal(send(t.program, "last", 4, 0), 4);
	close(t.program);
	t.program = -1;
	shells_reaped(&t.shells, 100, 9);
	turn();
	ask(1, 0);
	turn();
	assert_int_equal(hear(seen, &number), 4);
	assert_int_equal(seen[SHELL_EXITED], 1);
	assert_int_equal(number, 128 + 9);
}

/* Its child still holds the report and the terminal, and becomes a shell that nobody waits for. */
static void test_one_that_is_killed_before_it_starts_is_over(void **unused)
{
	unsigned seen[SHELL_NUM_TYPES];
	uint64_t number = 0;

	(void)unused;
	ask(0, 0);
	shells_reaped(&t.shells, 100, 9);
	starts();
	turn();
	hear(seen, &number);
	assert_int_equal(seen[SHELL_OPENED], 1);
	assert_int_equal(seen[SHELL_EXITED], 1);
	assert_int_equal(number, 128 + 9);
	assert_int_equal(t.shells.n_sessions, 0);
}

static void test_another_connection_takes_the_session(void **unused)
{
	unsigned seen[SHELL_NUM_TYPES];
	uint64_t number = 0;
	int before;

	(void)unused;
	ask(0, 0);
	starts();
	hear(seen, &number);
	before = t.host;
	ask(1, 0);
	hear(seen, &number);
	assert_int_equal(seen[SHELL_OPENED], 1);
	close(t.host);
	t.host = before;
	hear(seen, &number);
	assert_int_equal(seen[SHELL_MOVED], 1);
	turn();
	assert_int_equal(t.shells.n_sessions, 1);
}

/* Once before the shell has started and once after; what it does then concerns no connection. */
static void test_a_second_request_ends_its_connection_and_leaves_the_session(void **unused)
{
	(void)unused;
	for (uint64_t started = 0; started < 2; started++) {
		autobuf struct buf again = { 0 };
		unsigned seen[SHELL_NUM_TYPES];
		uint64_t number;

		ask(started, 0);
		turn();
		put_open(&again, 1, 0);
		assert_int_equal(send(t.host, again.data, again.size, 0), again.size);
		turn();
		hear(seen, &number);
		assert_int_equal(seen[SHELL_REFUSED], 1);
		list_each(s, &t.shells.sessions, struct shell, in)
		{
			assert_null(s->host);
			assert_true(s->grace.active);
		}
		close(t.host);
		turn();
		assert_int_equal(t.shells.n_hosts, 0);
		if (!started)
			starts();
		print(100);
	}
	assert_int_equal(t.shells.n_sessions, 1);
}

static void test_frames_in_any_order_do_no_harm(void **unused)
{
	(void)unused;
	for (unsigned type = 0; type < SHELL_NUM_TYPES + 2; type++) {
		unsigned seen[SHELL_NUM_TYPES];
		uint64_t number;

		connect_host("", 0);
		say((enum shell_type)type, "bytes", 5, UINT64_MAX);
		say(SHELL_TAKEN, NULL, 0, UINT64_MAX);
		say(SHELL_INPUT, "x", 1, 0);
		hear(seen, &number);
		close(t.host);
		t.host = -1;
		turn();
	}
	assert_int_equal(t.shells.n_hosts, 0);
	assert_int_equal(t.shells.n_sessions, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_it_is_open_when_the_program_has_started),
		TEST(test_what_cannot_start_is_refused),
		TEST(test_output_waits_for_the_window_and_is_replayed),
		TEST(test_the_exit_follows_the_last_byte),
		TEST(test_an_exit_waits_for_who_comes_back),
		TEST(test_one_that_is_killed_before_it_starts_is_over),
		TEST(test_another_connection_takes_the_session),
		TEST(test_a_second_request_ends_its_connection_and_leaves_the_session),
		TEST(test_frames_in_any_order_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
