/* The HTTP server over a socket pair: what a client sends, and all that it gets back. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "echo.h"
#include "net/http_carrier.h"

#define DEADLINE_MS 5000

struct client {
	uv_loop_t loop;
	struct http_server *server;
	int fd;
	struct buf got;
	bool eof;
};

static void client_open(struct client *c)
{
	int pair[2];
	struct err e;

	*c = (struct client){ 0 };
	echo_stats = (struct echo_stats){ 0 };
	assert_int_equal(uv_loop_init(&c->loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	c->server = http_server_new(&c->loop, NULL, &echo_handler, NULL);
	assert_int_equal(http_server_take(c->server, pair[0], &e), 0);
	c->fd = pair[1];
}

static void client_turn(struct client *c)
{
	static uint8_t data[1 << 16];
	ssize_t n;

	uv_run(&c->loop, UV_RUN_NOWAIT);
	if (c->fd < 0)
		return;
	n = recv(c->fd, data, sizeof(data), 0);
	if (n > 0)
		buf_add(&c->got, data, (size_t)n);
	c->eof = c->eof || n == 0;
}

static void client_send(struct client *c, const char *data, size_t size, size_t step)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	while (size && clock_mono_ms() < until) {
		ssize_t n = send(c->fd, data, step < size ? step : size, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return; /* cut by the server: what it said is looked at */
		if (n < 0)
			n = 0;
		data += n;
		size -= (size_t)n;
		client_turn(c);
	}
	assert_int_equal(size, 0);
}

/* Until the end of the connection, or that much came. */
static void client_read(struct client *c, size_t size)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	while (!c->eof && c->got.size < size && clock_mono_ms() < until)
		client_turn(c);
	assert_true(c->eof || c->got.size >= size);
}

static void client_close(struct client *c)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	close(c->fd);
	c->fd = -1;
	for (int i = 0; i < 10; i++)
		client_turn(c);
	http_server_free(c->server);
	while (uv_loop_alive(&c->loop) && clock_mono_ms() < until)
		client_turn(c);
	assert_int_equal(uv_loop_close(&c->loop), 0);
	assert_int_equal(echo_stats.heads, echo_stats.dones + echo_stats.taken);
	buf_free(&c->got);
}

/* All that came, without the dates. */
static const char *client_text(struct client *c)
{
	char *text = buf_str(&c->got), *date;

	while ((date = strstr(text, "date: "))) {
		char *end = strchr(date, '\n') + 1;

		memmove(date, end, strlen(end) + 1);
	}
	return text;
}

#define GET(target)  "GET " target " HTTP/1.1\r\nHost: a\r\n"
#define POST(target) "POST " target " HTTP/1.1\r\nHost: a\r\n"
#define CLOSE        "Connection: close\r\n"
#define HELLO        "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello\n"
#define HELLO_CLOSE  "HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nhello\n"
#define CHUNKED_OK   "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
#define LAST         GET("/hello") CLOSE "\r\n"

/* clang-format off */
static const struct {
	const char *name, *send, *want;
} rows[] = {
	{ "one", LAST, HELLO_CLOSE },
	{ "two, pipelined", GET("/hello") "\r\n" LAST, HELLO HELLO_CLOSE },
	{ "HTTP/1.0", "GET /hello HTTP/1.0\r\nHost: a\r\n\r\n", HELLO_CLOSE },
	{ "HTTP/1.0 keep-alive",
	  "GET /hello HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET /hello HTTP/1.0\r\nHost: a\r\n\r\n",
	  "HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: keep-alive\r\n\r\nhello\n" HELLO_CLOSE },
	{ "HEAD", "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n" LAST,
	  "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n" HELLO_CLOSE },
	{ "an unread small body", POST("/early") "Content-Length: 5\r\n\r\nabcde" LAST,
	  "HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\n\r\nno\n" HELLO_CLOSE },
	{ "an unread big body", POST("/early") "Content-Length: 500000\r\n\r\nabcde",
	  "HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\nconnection: close\r\n\r\nno\n" },
	{ "a refused expectation", POST("/early") "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
	  "HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\nconnection: close\r\n\r\nno\n" },
	{ "a met expectation", POST("/hello") "Content-Length: 5\r\nExpect: 100-continue\r\n" CLOSE "\r\nabcde",
	  "HTTP/1.1 100 Continue\r\n\r\n" HELLO_CLOSE },
	{ "a late 100", POST("/hold") "Content-Length: 5\r\nExpect: 100-continue\r\n" CLOSE "\r\nabcde",
	  "HTTP/1.1 100 Continue\r\n\r\n" HELLO_CLOSE },
	{ "a held body", POST("/hold") "Content-Length: 5\r\n\r\nabcde" LAST, HELLO HELLO_CLOSE },
	{ "nothing below /nope", GET("/nope") CLOSE "\r\n",
	  "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" },
	{ "smuggled", POST("/echo") "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" LAST,
	  "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 42\r\nconnection: close\r\n\r\n"
	  "both transfer-encoding and content-length\n" },
	{ "an answer that breaks off", GET("/cut") "\r\n" LAST,
	  "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf" },
	{ "a body that is no chunks", POST("/hello") "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "" },
};
/* clang-format on */

static void test_every_request_gets_its_answer_however_it_is_cut(void **unused)
{
	static const size_t steps[] = { 1, 7, 1 << 20 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
			struct client c;

			client_open(&c);
			client_send(&c, rows[i].send, strlen(rows[i].send), steps[k]);
			client_read(&c, SIZE_MAX);
			if (strcmp(client_text(&c), rows[i].want))
				fail_msg("%s in steps of %zu:\n%s", rows[i].name, steps[k],
					 client_text(&c));
			client_close(&c);
		}
}

static size_t count(const struct buf *b, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < b->size; i++)
		n += b->data[i] == c;
	return n;
}

static void test_a_body_comes_back_through_both_framings(void **unused)
{
	static const char *const targets[] = { "/echo", "/slow" };

	(void)unused;
	for (size_t t = 0; t < 2; t++) {
		const size_t size = t ? 2000 : 1000000;
		autobuf struct buf b = { 0 };
		struct client c;

		client_open(&c);
		buf_addf(&b, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n" CLOSE "\r\n",
			 targets[t], size);
		for (size_t i = 0; i < size; i++)
			buf_add(&b, "#", 1);
		client_send(&c, (char *)b.data, b.size, 50000);
		client_read(&c, SIZE_MAX);
		assert_int_equal(count(&c.got, '#'), size);
		assert_memory_equal(c.got.data + c.got.size - 7, "\r\n0\r\n\r\n", 7);
		client_close(&c);
	}
}

static void test_an_answer_nobody_reads_is_not_piled_up(void **unused)
{
	struct client c;
	int fd;

	(void)unused;
	client_open(&c);
	client_send(&c, GET("/big?50000000") "\r\n", strlen(GET("/big?50000000") "\r\n"), 1000);
	fd = c.fd;
	c.fd = -1; /* turns without reading */
	for (int i = 0; i < 100; i++)
		client_turn(&c);
	c.fd = fd;
	assert_int_equal(echo_stats.dones, 0);
	assert_true(echo_stats.sent < 2000000);
	client_read(&c, 50000000);
	client_close(&c);
}

static void test_a_client_that_goes_away_is_told_to_the_handler(void **unused)
{
	struct client c;

	(void)unused;
	client_open(&c);
	client_send(&c, POST("/echo") "Content-Length: 10\r\n\r\nabc",
		    strlen(POST("/echo") "Content-Length: 10\r\n\r\nabc"), 1000);
	client_read(&c, 10);
	client_close(&c);
	assert_int_equal(echo_stats.gone, 1);
	assert_int_equal(echo_stats.ends, 0);
}

static void test_an_upgraded_connection_gets_early_and_later_bytes(void **unused)
{
	const char head[] =
		"HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n";
	const char ask[] = GET("/upgrade") "Connection: upgrade\r\nUpgrade: echo\r\n\r\nearly";
	struct client c;

	(void)unused;
	client_open(&c);
	client_send(&c, ask, strlen(ask), 1000);
	client_send(&c, " later", 6, 1);
	shutdown(c.fd, SHUT_WR);
	client_read(&c, SIZE_MAX);
	client_text(&c);
	assert_memory_equal(c.got.data, head, strlen(head));
	assert_string_equal((char *)c.got.data + strlen(head), "early later");
	client_close(&c);
}

static void test_a_client_may_end_its_side_after_the_request(void **unused)
{
	struct client c;

	(void)unused;
	client_open(&c);
	client_send(&c, GET("/big?300000") "\r\n", strlen(GET("/big?300000") "\r\n"), 1000);
	shutdown(c.fd, SHUT_WR);
	client_read(&c, SIZE_MAX);
	assert_int_equal(count(&c.got, 'x'), 300000);
	client_close(&c);
}

static void test_a_server_may_be_freed_in_the_middle_of_an_answer(void **unused)
{
	struct client c;

	(void)unused;
	client_open(&c);
	client_send(&c, GET("/big?50000000") "\r\n", strlen(GET("/big?50000000") "\r\n"), 1000);
	client_read(&c, 1000);
	http_server_free(c.server);
	client_read(&c, SIZE_MAX);
	assert_true(c.eof);
	assert_int_equal(echo_stats.gone, 1);
	close(c.fd);
	c.fd = -1;
	while (uv_loop_alive(&c.loop))
		client_turn(&c);
	assert_int_equal(uv_loop_close(&c.loop), 0);
	buf_free(&c.got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_request_gets_its_answer_however_it_is_cut),
		cmocka_unit_test(test_a_body_comes_back_through_both_framings),
		cmocka_unit_test(test_an_answer_nobody_reads_is_not_piled_up),
		cmocka_unit_test(test_a_client_that_goes_away_is_told_to_the_handler),
		cmocka_unit_test(test_an_upgraded_connection_gets_early_and_later_bytes),
		cmocka_unit_test(test_a_client_may_end_its_side_after_the_request),
		cmocka_unit_test(test_a_server_may_be_freed_in_the_middle_of_an_answer),
	};

	return cmocka_run_group_tests_name("net/http", tests, NULL, NULL);
}
