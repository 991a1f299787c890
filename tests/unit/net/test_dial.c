/* What a machine may answer to CONNECT: it is not believed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/dial.h"

struct outcome {
	int n, fd;
	enum dial_result result;
};

static const struct connect_ask port_one = { 1, CONNECT_PLAIN };

static void took(void *arg, enum dial_result result, int fd)
{
	struct outcome *o = arg;

	o->n++;
	o->result = result;
	o->fd = fd;
}

static int listen_at(char path[108])
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(path, 108, "/tmp/doze-test-dial-%d", (int)getpid());
	memcpy(at.sun_path, path, 108);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 0), 0);
	return fd;
}

static void answer(int client, const char *text, const int *fds, size_t n)
{
	struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n) {
		struct cmsghdr *c;

		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	assert_true(sendmsg(client, &msg, MSG_NOSIGNAL) > 0);
}

/* What comes of a machine that answers @text with @fds. */
static struct outcome play_as(enum connect_way way, const char *text, const int *fds, size_t n)
{
	struct outcome o = { .fd = -1 };
	char path[108], asked[32] = "";
	int server = listen_at(path), client;
	uv_loop_t loop;

	assert_int_equal(uv_loop_init(&loop), 0);
	assert_non_null(dial_start(&loop, path, &(struct connect_ask){ 5000, way }, took, &o));
	uv_run(&loop, UV_RUN_NOWAIT);
	client = accept(server, NULL, NULL);
	assert_true(read(client, asked, sizeof(asked) - 1) >= 13);
	assert_string_equal(asked, way == CONNECT_PLAIN ? "CONNECT 5000\n" : "CONNECT 5000 udp\n");
	answer(client, text, fds, n);
	close(client);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(o.n, 1);
	close(server);
	unlink(path);
	return o;
}

static struct outcome play(const char *text, const int *fds, size_t n)
{
	return play_as(CONNECT_PLAIN, text, fds, n);
}

static void test_a_machine_that_is_too_old_for_a_way_says_so_in_its_own_words(void **unused)
{
	static const char *const old[] = { "ERR malformed\n", "ERR ask with: CONNECT <port>\n" };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(old); i++) {
		assert_int_equal(play_as(CONNECT_DATAGRAMS, old[i], NULL, 0).result, DIAL_UNKNOWN);
		assert_int_equal(play(old[i], NULL, 0).result, DIAL_REFUSED);
	}
}

static void test_ok_with_a_stream_socket_opens(void **unused)
{
	int pair[2];
	struct outcome o;

	(void)unused;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	o = play("OK\n", pair, 1);
	assert_int_equal(o.result, DIAL_OPEN);
	assert_int_equal(write(o.fd, "x", 1), 1);
	close(o.fd);
	/* more than one is one too many, and no leak */
	o = play("OK\n", pair, 2);
	assert_int_equal(o.result, DIAL_OPEN);
	close(o.fd);
	close(pair[0]);
	close(pair[1]);
}

static void test_ok_without_a_descriptor_is_the_port_itself(void **unused)
{
	char text[16] = "";
	struct outcome o = play("OK\nfirst bytes", NULL, 0);

	(void)unused;
	assert_int_equal(o.result, DIAL_OPEN);
	assert_int_equal(read(o.fd, text, sizeof(text) - 1), 11); /* none were swallowed */
	assert_string_equal(text, "first bytes");
	close(o.fd);
}

static void test_anything_else_is_refused(void **unused)
{
	static const char *const answers[] = {
		"ERR refused\n",      "ERR\n", "OK \n", "ok\n", "\n", "OK\r\n", "O",
		"HTTP/1.1 200 OK\r\n"
	};
	int pair[2], pipes[2];
	struct outcome o;

	(void)unused;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pipe(pipes), 0);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		o = play(answers[i], pair, 1);
		assert_int_equal(o.result, DIAL_REFUSED);
		assert_int_equal(o.fd, -1);
	}
	o = play("OK\n", pipes, 1); /* with one that is no socket */
	assert_int_equal(o.result, DIAL_REFUSED);
	close(pair[0]);
	close(pair[1]);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_a_refusal_says_whether_it_may_pass(void **unused)
{
	static const struct {
		const char *answer;
		enum dial_result want;
	} rows[] = {
		{ "ERR starting\n", DIAL_STARTING },  { "ERR busy\n", DIAL_BUSY },
		{ "ERR refused\n", DIAL_REFUSED },    { "ERR starting", DIAL_REFUSED },
		{ "ERR starting\n\n", DIAL_REFUSED }, { "ERR busy again\n", DIAL_REFUSED },
		{ "err busy\n", DIAL_REFUSED },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(play(rows[i].answer, NULL, 0).result, rows[i].want);
}

static void test_an_endless_answer_is_refused(void **unused)
{
	char text[512];

	(void)unused;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(dial_answer(text, 10), 0);
	assert_int_equal(dial_answer(text, 256), -1);
	assert_int_equal(play(text, NULL, 0).result, DIAL_REFUSED);
}

static void test_no_machine_refuses_and_a_busy_one_says_so(void **unused)
{
	struct outcome gone = { .fd = -1 }, o[4] = { 0 };
	char path[108];
	int server = listen_at(path), busy = 0;
	uv_loop_t loop;

	(void)unused;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_non_null(dial_start(&loop, "/nowhere/stream.sock", &port_one, took, &gone));
	assert_int_equal(gone.n, 0); /* never from inside the call */
	/* a backlog of nothing takes one, and the rest is told to come again */
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		assert_non_null(dial_start(&loop, path, &port_one, took, &o[i]));
	close(server);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(gone.n, 1);
	assert_int_equal(gone.result, DIAL_REFUSED);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		busy += o[i].result == DIAL_BUSY;
	assert_in_range(busy, 1, 3);
	assert_int_equal(uv_loop_close(&loop), 0);
	unlink(path);
}

static void test_a_cancelled_dial_is_silent(void **unused)
{
	struct outcome o = { .fd = -1 };
	char path[108];
	int server = listen_at(path);
	uv_loop_t loop;

	(void)unused;
	assert_int_equal(uv_loop_init(&loop), 0);
	dial_cancel(dial_start(&loop, path, &port_one, took, &o));
	dial_cancel(dial_start(&loop, "/nowhere", &port_one, took, &o));
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(o.n, 0);
	assert_int_equal(uv_loop_close(&loop), 0);
	close(server);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ok_with_a_stream_socket_opens),
		cmocka_unit_test(test_a_machine_that_is_too_old_for_a_way_says_so_in_its_own_words),
		cmocka_unit_test(test_ok_without_a_descriptor_is_the_port_itself),
		cmocka_unit_test(test_anything_else_is_refused),
		cmocka_unit_test(test_a_refusal_says_whether_it_may_pass),
		cmocka_unit_test(test_an_endless_answer_is_refused),
		cmocka_unit_test(test_no_machine_refuses_and_a_busy_one_says_so),
		cmocka_unit_test(test_a_cancelled_dial_is_silent),
	};

	return cmocka_run_group_tests_name("net/dial", tests, NULL, NULL);
}
