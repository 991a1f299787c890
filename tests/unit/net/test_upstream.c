/* A client over a socket pair, against what a hostile server may say. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/upstream.h"

#define DEADLINE_MS 5000

static struct {
	uv_loop_t loop;
	struct upstream *up; /* NULL: gone */
	int peer;
	struct buf told, sent; /* what the callbacks said; what the peer got */
	size_t most;           /* body bytes taken at once; 0: all */
	struct conn *taken;
	bool take, again;
} t;

static void on_interim(struct upstream *u, const struct http_head *h)
{
	(void)u;
	buf_addf(&t.told, "i%u ", h->status);
}

static size_t taken_data(struct conn *c, const uint8_t *data, size_t size)
{
	(void)c;
	buf_add(&t.told, data, size);
	return size;
}

static void taken_end(struct conn *c)
{
	buf_adds(&t.told, " E");
	conn_close(c);
}

static void taken_closed(struct conn *c)
{
	(void)c;
	t.taken = NULL;
}

static const struct conn_ops taken_ops = { .data = taken_data,
					   .end = taken_end,
					   .closed = taken_closed };

static void on_head(struct upstream *u, const struct http_head *h)
{
	buf_addf(&t.told, "h%u ", h->status);
	if (h->status == 101 && t.take) {
		t.taken = upstream_take_conn(u, &taken_ops, NULL);
		t.up = NULL;
	}
}

static size_t on_body(struct upstream *u, const uint8_t *data, size_t size)
{
	size_t n = t.most && size > t.most ? t.most : size;

	buf_add(&t.told, data, n);
	if (n < size)
		t.again = true;
	(void)u;
	return n;
}

static void on_end(struct upstream *u)
{
	bool again = upstream_reusable(u);

	buf_adds(&t.told, again ? " R" : " N");
	if (!again)
		upstream_close(u);
}

static void on_writable(struct upstream *u)
{
	(void)u;
	buf_adds(&t.told, "w ");
}

static void on_failed(struct upstream *u, const char *why)
{
	(void)u;
	assert_non_null(why);
	buf_adds(&t.told, " F");
}

static void on_closed(struct upstream *u)
{
	(void)u;
	buf_adds(&t.told, "C");
	t.up = NULL;
}

static const struct upstream_ops ops = {
	.interim = on_interim,
	.head = on_head,
	.body = on_body,
	.end = on_end,
	.writable = on_writable,
	.failed = on_failed,
	.closed = on_closed,
};

static void turn(void)
{
	static uint8_t data[1 << 16];
	ssize_t n;

	uv_run(&t.loop, UV_RUN_NOWAIT);
	if (t.again && t.up) {
		t.again = false;
		upstream_read_more(t.up);
	}
	n = recv(t.peer, data, sizeof(data), MSG_DONTWAIT);
	if (n > 0)
		buf_add(&t.sent, data, (size_t)n);
}

static const struct conn_ops no_ops; /* until it has an owner, at once */

static void begin(void)
{
	struct conn *c;
	struct err e;
	int pair[2];

	memset(&t, 0, sizeof(t));
	assert_int_equal(uv_loop_init(&t.loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	c = conn_new(&t.loop, pair[0], NULL, &no_ops, NULL, &e);
	assert_non_null(c);
	t.up = upstream_over(c, &ops, NULL);
	t.peer = pair[1];
}

static void finish(void)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	if (t.up)
		upstream_close(t.up);
	if (t.taken)
		conn_close(t.taken);
	while (uv_loop_alive(&t.loop) && clock_mono_ms() < until)
		turn();
	assert_int_equal(uv_loop_close(&t.loop), 0);
	close(t.peer);
	buf_free(&t.told);
	buf_free(&t.sent);
}

#define OK "HTTP/1.1 200 OK\r\n"

/* clang-format off */
static const struct {
	const char *name, *method, *answer;
	bool cut; /* the server ends the connection behind it */
	const char *want;
} rows[] = {
	{ "a length", "GET", OK "Content-Length: 2\r\n\r\nhi", false, "h200 hi R" },
	{ "chunks", "GET", OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", false, "h200 hi R" },
	{ "connection: close", "GET", OK "Content-Length: 2\r\nConnection: close\r\n\r\nhi", false, "h200 hi NC" },
	{ "until close", "GET", OK "\r\nhi", true, "h200 hi NC" },
	{ "HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", false, "h200 hi NC" },
	{ "HEAD", "HEAD", OK "Content-Length: 200\r\n\r\n", false, "h200  R" },
	{ "204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", false, "h204  R" },
	{ "304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, "h304  R" },
	{ "100 in front", "GET", "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 0\r\n\r\n", false, "i100 h200  R" },
	{ "103 in front", "GET", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK "Content-Length: 0\r\n\r\n", false, "i103 h200  R" },
	{ "bytes behind the answer", "GET", OK "Content-Length: 2\r\n\r\nhi" OK "Content-Length: 0\r\n\r\n", false, "h200 hi NC" },
	{ "cut in the head", "GET", OK, true, " FC" },
	{ "cut at once", "GET", "", true, " FC" },
	{ "cut in the body", "GET", OK "Content-Length: 5\r\n\r\nhi", true, "h200 hi FC" },
	{ "cut in chunks", "GET", OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", true, "h200 hi FC" },
	{ "no HTTP", "GET", "SSH-2.0-OpenSSH\r\n\r\n", false, " FC" },
	{ "both lengths", "GET", OK "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", false, " FC" },
	{ "broken chunks", "GET", OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n", false, "h200  FC" },
	{ "101 that nobody wanted", "GET", "HTTP/1.1 101 S\r\n\r\n", false, " FC" },
};
/* clang-format on */

static void test_every_answer_is_told_or_refused(void **unused)
{
	static const size_t most[] = { 0, 1 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t k = 0; k < ARRAY_SIZE(most); k++) {
			int64_t until = clock_mono_ms() + DEADLINE_MS;

			begin();
			t.most = most[k];
			assert_true(upstream_request(t.up, rows[i].method, "/", NULL, 0,
						     UPSTREAM_NO_BODY));
			assert_int_equal(send(t.peer, rows[i].answer, strlen(rows[i].answer), 0),
					 strlen(rows[i].answer));
			if (rows[i].cut)
				shutdown(t.peer, SHUT_WR);
			while (strcmp(buf_str(&t.told), rows[i].want) && clock_mono_ms() < until)
				turn();
			for (int n = 0; n < 5; n++)
				turn();
			if (strcmp(buf_str(&t.told), rows[i].want))
				fail_msg("%s, %zu at once: '%s'", rows[i].name, most[k],
					 buf_str(&t.told));
			finish();
		}
}

static void until_told(const char *want)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	while (strcmp(buf_str(&t.told), want) && clock_mono_ms() < until)
		turn();
	assert_string_equal(buf_str(&t.told), want);
}

static void test_one_connection_carries_several_requests(void **unused)
{
	const struct http_header h[] = { { "host", "a" } };

	(void)unused;
	begin();
	for (int i = 0; i < 3; i++) {
		assert_true(upstream_reusable(t.up));
		assert_true(upstream_request(t.up, "POST", "/x", h, 1, i ? UPSTREAM_CHUNKED : 3));
		assert_false(upstream_answered(t.up));
		assert_true(upstream_send_body(t.up, "abc", 3));
		upstream_send_end(t.up);
		turn();
		send(t.peer, OK "Content-Length: 0\r\n\r\n", strlen(OK "Content-Length: 0\r\n\r\n"),
		     0);
		buf_clear(&t.told);
		until_told("h200  R");
		assert_true(upstream_answered(t.up));
	}
	turn();
	assert_string_equal(buf_str(&t.sent),
			    "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc"
			    "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: "
			    "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
			    "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: "
			    "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
	finish();
}

/* How much the peer got after so many turns. */
static size_t sent_after(int turns)
{
	while (turns--)
		turn();
	return t.sent.size;
}

static void test_a_head_goes_out_with_the_first_piece_of_its_body(void **unused)
{
	(void)unused;
	begin();
	assert_true(upstream_request(t.up, "POST", "/", NULL, 0, 3));
	assert_int_equal(sent_after(5), 0);
	assert_true(upstream_send_body(t.up, "a", 1));
	turn();
	assert_string_equal(buf_str(&t.sent), "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\na");
	assert_true(upstream_send_body(t.up, "bc", 2));
	upstream_send_end(t.up);
	send(t.peer, OK "Content-Length: 0\r\n\r\n", strlen(OK "Content-Length: 0\r\n\r\n"), 0);
	until_told("h200  R");
	buf_clear(&t.sent);
	assert_true(upstream_request(t.up, "POST", "/", NULL, 0, UPSTREAM_CHUNKED));
	assert_int_equal(sent_after(5), 0);
	upstream_push(t.up); /* the body is late */
	assert_true(sent_after(5) > 0);
	finish();
}

static void test_an_answer_before_the_request_is_sent_ends_the_use(void **unused)
{
	(void)unused;
	begin();
	assert_true(upstream_request(t.up, "POST", "/", NULL, 0, 1000));
	send(t.peer, OK "Content-Length: 0\r\n\r\n", strlen(OK "Content-Length: 0\r\n\r\n"), 0);
	until_told("h200  NC");
	finish();
}

/* clang-format off */
static const struct {
	const char *name, *answer;
	int64_t length; /* of the request's body, of which the server reads nothing */
	const char *want;
} resets[] = {
	{ "a length", OK "Content-Length: 9\r\n\r\ntoo large", 1000, "h200 too large NC" },
	{ "chunks", OK "Transfer-Encoding: chunked\r\n\r\n9\r\ntoo large\r\n0\r\n\r\n", UPSTREAM_CHUNKED, "h200 too large NC" },
	{ "until close", OK "\r\ntoo large", 1000, "h200 too large NC" },
	{ "cut", OK "Content-Length: 9\r\n\r\ntoo", 1000, "h200 too FC" },
	{ "no answer", "", 1000, " FC" },
};
/* clang-format on */

static void test_what_was_said_before_a_reset_is_told(void **unused)
{
	static const size_t most[] = { 0, 1 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(resets) * ARRAY_SIZE(most); i++) {
		const char *answer = resets[i / 2].answer;
		char byte;
		int64_t until = clock_mono_ms() + DEADLINE_MS;

		begin();
		t.most = most[i % 2];
		assert_true(upstream_request(t.up, "POST", "/", NULL, 0, resets[i / 2].length));
		upstream_push(t.up);
		while (recv(t.peer, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
			uv_run(&t.loop, UV_RUN_NOWAIT);
		assert_int_equal(send(t.peer, answer, strlen(answer), 0), strlen(answer));
		close(t.peer);
		t.peer = -1;
		while (t.up && clock_mono_ms() < until)
			turn();
		if (strcmp(buf_str(&t.told), resets[i / 2].want))
			fail_msg("%s, %zu at once: '%s'", resets[i / 2].name, t.most,
				 buf_str(&t.told));
		finish();
	}
}

/* The loop has not seen the end yet, but it lies there to be read. */
static void test_a_connection_that_was_ended_is_seen_before_it_is_used(void **unused)
{
	(void)unused;
	begin();
	turn();
	assert_true(upstream_is_quiet(t.up));
	shutdown(t.peer, SHUT_WR);
	assert_true(upstream_reusable(t.up));
	assert_false(upstream_is_quiet(t.up));
	finish();
}

static void test_bytes_on_an_idle_connection_end_it(void **unused)
{
	(void)unused;
	begin();
	send(t.peer, OK, strlen(OK), 0);
	until_told(" FC");
	finish();
}

static void test_an_upgrade_hands_the_connection_over_with_early_bytes(void **unused)
{
	const struct http_header h[] = { { "upgrade", "x" } };
	const char answer[] = "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nearly";

	(void)unused;
	begin();
	t.take = true;
	assert_true(upstream_request(t.up, "GET", "/", h, 1, UPSTREAM_NO_BODY));
	send(t.peer, answer, strlen(answer), 0);
	until_told("h101 early");
	assert_non_null(strstr(buf_str(&t.sent), "upgrade: x\r\nconnection: upgrade\r\n"));
	send(t.peer, " late", 5, 0);
	until_told("h101 early late");
	shutdown(t.peer, SHUT_WR);
	until_told("h101 early late E");
	finish();
}

static void test_a_server_that_does_not_read_is_not_flooded(void **unused)
{
	static char block[16384];
	size_t sent = 0;
	int peer;

	(void)unused;
	begin();
	peer = t.peer;
	t.peer = -1; /* turns without reading */
	assert_true(upstream_request(t.up, "POST", "/", NULL, 0, 1 << 24));
	for (bool room = true; room && sent < 1 << 24; sent += sizeof(block)) {
		room = upstream_send_body(t.up, block, sizeof(block));
		turn();
	}
	assert_true(sent < 1 << 22);
	t.peer = peer;
	until_told("w ");
	finish();
}

static void test_a_head_that_cannot_be_written_is_not_sent(void **unused)
{
	const struct http_header h[] = { { "x", "a\r\nb: c" } };

	(void)unused;
	begin();
	assert_false(upstream_request(t.up, "GET", "/", h, 1, UPSTREAM_NO_BODY));
	assert_true(upstream_request(t.up, "GET", "/", NULL, 0, UPSTREAM_NO_BODY));
	finish();
}

static void on_check(uv_check_t *check)
{
	bool *usable = check->data;

	if (t.up)
		*usable = upstream_reusable(t.up);
}

/* Between the time-out and its callback others have their turn, and look for a connection. */
static void test_a_connection_that_timed_out_is_not_used_again(void **unused)
{
	bool usable = false;
	uv_check_t check;

	(void)unused;
	begin();
	uv_check_init(&t.loop, &check);
	check.data = &usable;
	uv_check_start(&check, on_check);
	turn();
	assert_true(usable);
	upstream_timeout(t.up, 1);
	until_told(" FC");
	assert_false(usable);
	uv_close((uv_handle_t *)&check, NULL);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_answer_is_told_or_refused),
		cmocka_unit_test(test_one_connection_carries_several_requests),
		cmocka_unit_test(test_a_head_goes_out_with_the_first_piece_of_its_body),
		cmocka_unit_test(test_an_answer_before_the_request_is_sent_ends_the_use),
		cmocka_unit_test(test_what_was_said_before_a_reset_is_told),
		cmocka_unit_test(test_a_connection_that_was_ended_is_seen_before_it_is_used),
		cmocka_unit_test(test_bytes_on_an_idle_connection_end_it),
		cmocka_unit_test(test_an_upgrade_hands_the_connection_over_with_early_bytes),
		cmocka_unit_test(test_a_server_that_does_not_read_is_not_flooded),
		cmocka_unit_test(test_a_head_that_cannot_be_written_is_not_sent),
		cmocka_unit_test(test_a_connection_that_timed_out_is_not_used_again),
	};

	return cmocka_run_group_tests_name("net/upstream", tests, NULL, NULL);
}
