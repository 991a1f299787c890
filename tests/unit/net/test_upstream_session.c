/* An HTTP/2 session over a socket pair, against frames that a hostile server may send. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "session_rig.h"

#define DEADLINE_MS 5000

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PUSH_PROMISE = 5, GOAWAY = 7 };
enum { END = 1, WHOLE = 4 }; /* END_STREAM, END_HEADERS */

static struct {
	struct session_rig rig;
	struct buf told, sent;
	size_t most; /* body bytes taken at once; 0: all */
	bool hold;   /* what is not taken waits for `again` */
} t;

static size_t number(const struct upstream *u)
{
	return session_rig_number(&t.rig, u);
}

static void on_interim(struct upstream *u, const struct http_head *h)
{
	buf_addf(&t.told, "%zu:i%u ", number(u), h->status);
}

static void on_head(struct upstream *u, const struct http_head *h)
{
	buf_addf(&t.told, "%zu:h%u ", number(u), h->status);
}

static size_t on_body(struct upstream *u, const uint8_t *data, size_t size)
{
	size_t n = t.most && size > t.most ? t.most : size;

	(void)u;
	if (t.hold)
		return 0;
	buf_add(&t.told, data, n);
	return n;
}

static void on_trailers(struct upstream *u, const struct http_header *fields, size_t n)
{
	(void)u;
	for (size_t i = 0; i < n; i++)
		buf_addf(&t.told, " %s=%s", fields[i].name, fields[i].value);
}

static void on_end(struct upstream *u)
{
	assert_false(upstream_reusable(u));
	buf_addf(&t.told, " E");
	upstream_close(u);
}

static void on_writable(struct upstream *u)
{
	(void)u;
	buf_adds(&t.told, "w ");
}

static void on_failed(struct upstream *u, const char *why)
{
	static const char *const losses[UPSTREAM_NUM_LOSSES] = { "F", "U", "R" };

	assert_non_null(why);
	buf_addf(&t.told, " %s", losses[upstream_loss(u)]);
	if (upstream_loss(u) == UPSTREAM_RESET)
		buf_addf(&t.told, "%u", upstream_reset(u));
}

static void on_closed(struct upstream *u)
{
	buf_adds(&t.told, "C");
	t.rig.up[number(u)] = NULL;
}

static const struct upstream_ops ops = {
	.interim = on_interim,
	.head = on_head,
	.body = on_body,
	.trailers = on_trailers,
	.end = on_end,
	.writable = on_writable,
	.failed = on_failed,
	.closed = on_closed,
};

static void turn(void)
{
	session_rig_turn(&t.rig, !t.hold, &t.sent);
}

static void turns(int n)
{
	while (n--)
		turn();
}

static void ask(size_t i, int64_t length)
{
	static const struct http_header headers[] = { { "host", "a" }, { "x", "y" } };

	assert_true(session_has_room(t.rig.s));
	assert_true(upstream_request(session_rig_stream(&t.rig, i, &ops), "POST", "/", headers, 2,
				     length));
}

static void begin(void)
{
	memset(&t, 0, sizeof(t));
	assert_true(session_rig_begin(&t.rig));
}

static void finish(void)
{
	for (size_t i = 0; i < SESSION_RIG_STREAMS; i++)
		if (t.rig.up[i])
			upstream_close(t.rig.up[i]);
	if (t.rig.s)
		session_retire(t.rig.s);
	assert_true(session_rig_end(&t.rig));
	buf_free(&t.told);
	buf_free(&t.sent);
}

/* One frame; @payload ends with its NUL unless @size says otherwise. */
static void frame(unsigned kind, unsigned flags, unsigned stream, const void *payload, size_t size)
{
	const uint8_t head[9] = {
		0, (uint8_t)(size >> 8), (uint8_t)size, (uint8_t)kind, (uint8_t)flags, 0, 0,
		0, (uint8_t)stream
	};

	assert_int_equal(send(t.rig.peer, head, 9, 0), 9);
	assert_int_equal(send(t.rig.peer, payload, size, 0), size);
}

/* "name:value\n..." without tables; a name may begin with a colon. */
static void fields(unsigned flags, unsigned stream, const char *text)
{
	autobuf struct buf b = { 0 };

	for (const char *at = text; *at;) {
		const char *colon = strchr(at + 1, ':'), *end = strchr(at, '\n');
		uint8_t name = (uint8_t)(colon - at), value = (uint8_t)(end - colon - 1);

		buf_add(&b, "\0", 1);
		buf_add(&b, &name, 1);
		buf_add(&b, at, name);
		buf_add(&b, &value, 1);
		buf_add(&b, colon + 1, value);
		at = end + 1;
	}
	frame(HEADERS, flags, stream, b.data, b.size);
}

static void reset(unsigned stream, uint8_t code)
{
	frame(RST_STREAM, 0, stream, (uint8_t[]){ 0, 0, 0, code }, 4);
}

static void goaway(unsigned last, uint8_t code)
{
	frame(GOAWAY, 0, 0, (uint8_t[]){ 0, 0, 0, (uint8_t)last, 0, 0, 0, code }, 8);
}

static void until_told(const char *want)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	while (strcmp(buf_str(&t.told), want) && clock_mono_ms() < until)
		turn();
	assert_string_equal(buf_str(&t.told), want);
}

#define OK ":status:200\n"

static void say_whole(void)
{
	fields(WHOLE, 1, OK);
	frame(DATA, END, 1, "hi", 2);
}

static void say_trailers(void)
{
	fields(WHOLE, 1, OK);
	frame(DATA, 0, 1, "hi", 2);
	fields(WHOLE | END, 1, "grpc-status:0\nhost:evil\n");
}

static void say_only(void)
{
	fields(WHOLE | END, 1, OK "grpc-status:5\n");
}

static void say_interim(void)
{
	fields(WHOLE, 1, ":status:100\n");
	fields(WHOLE, 1, ":status:103\nlink:x\n");
	say_only();
}

static void say_whole_then_reset(void)
{
	say_trailers();
	reset(1, 0);
}

static void say_half_then_reset(void)
{
	fields(WHOLE, 1, OK);
	frame(DATA, 0, 1, "hi", 2);
	reset(1, 8);
}

static void say_refused(void)
{
	reset(1, 7);
}

static void say_goaway(void)
{
	goaway(0, 0);
}

static void say_short(void)
{
	fields(WHOLE, 1, OK "content-length:5\n");
	frame(DATA, END, 1, "hi", 2);
}

static void say_no_status(void)
{
	fields(WHOLE | END, 1, "a:b\n");
}

static void say_hop(void)
{
	fields(WHOLE | END, 1, OK "connection:close\n");
}

static void say_http1(void)
{
	send(t.rig.peer, "HTTP/1.1 400 Bad\r\n\r\n", 20, 0);
}

static void say_half_then_cut(void)
{
	fields(WHOLE, 1, OK);
	frame(DATA, 0, 1, "hi", 2);
	shutdown(t.rig.peer, SHUT_WR);
}

static void say_nothing(void)
{
	shutdown(t.rig.peer, SHUT_WR);
}

/* clang-format off */
static const struct {
	const char *name;
	void (*say)(void);
	const char *want; /* F: nobody knows what became of it; U: it was not looked at; R: reset, and the code */
} rows[] = {
	{ "a whole answer", say_whole, "0:h200 hi EC" },
	{ "trailers", say_trailers, "0:h200 hi grpc-status=0 EC" },
	{ "trailers only", say_only, "0:h200  EC" },
	{ "interim answers", say_interim, "0:i100 0:i103 0:h200  EC" },
	{ "a reset without an error behind a whole answer", say_whole_then_reset, "0:h200 hi grpc-status=0 EC" },
	{ "a reset inside an answer", say_half_then_reset, "0:h200 hi R8C" },
	{ "a refusal", say_refused, " UC" },
	{ "a GOAWAY in front of it", say_goaway, " UC" },
	{ "a body that is too short", say_short, "0:h200 hi FC" },
	{ "a head without a status", say_no_status, " FC" },
	{ "a field of HTTP/1.1", say_hop, " FC" },
	{ "HTTP/1.1", say_http1, " FC" },
	{ "an end inside an answer", say_half_then_cut, "0:h200 hi FC" },
	{ "an end", say_nothing, " FC" },
};
/* clang-format on */

static void test_every_answer_is_told_or_refused(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows) * 2; i++) {
		int64_t until = clock_mono_ms() + DEADLINE_MS;
		const char *want = rows[i / 2].want;

		begin();
		t.most = i % 2;
		ask(0, UPSTREAM_NO_BODY);
		if (rows[i / 2].say != say_http1)
			frame(SETTINGS, 0, 0, "", 0);
		rows[i / 2].say();
		while (strcmp(buf_str(&t.told), want) && clock_mono_ms() < until)
			turn();
		turns(5);
		if (strcmp(buf_str(&t.told), want))
			fail_msg("%s, %zu at once: '%s'", rows[i / 2].name, t.most,
				 buf_str(&t.told));
		finish();
	}
}

/* What waits for its owner comes first, however the stream ended meanwhile. */
static void test_what_was_said_before_the_end_is_told_when_it_is_taken(void **unused)
{
	(void)unused;
	begin();
	t.hold = true;
	ask(0, UPSTREAM_CHUNKED);
	frame(SETTINGS, 0, 0, "", 0);
	say_whole_then_reset();
	shutdown(t.rig.peer, SHUT_WR);
	turns(20);
	assert_string_equal(buf_str(&t.told), "0:h200 ");
	t.hold = false;
	until_told("0:h200 hi grpc-status=0 EC");
	finish();
}

static void test_there_is_room_for_as_many_as_the_server_says(void **unused)
{
	const uint8_t two[] = { 0, 3, 0, 0, 0, 2 };

	(void)unused;
	begin();
	assert_true(session_has_room(t.rig.s));
	ask(0, UPSTREAM_NO_BODY);
	assert_false(session_has_room(t.rig.s)); /* nobody knows yet */
	frame(SETTINGS, 0, 0, two, sizeof(two));
	while (!t.rig.ready)
		turn();
	ask(1, UPSTREAM_NO_BODY);
	assert_false(session_has_room(t.rig.s));
	say_whole();
	until_told("0:h200 hi EC");
	assert_true(session_has_room(t.rig.s));
	assert_int_equal(t.rig.ready, 1);
	finish();
}

static void test_a_session_that_is_retired_finishes_what_it_has(void **unused)
{
	(void)unused;
	begin();
	ask(0, UPSTREAM_NO_BODY);
	frame(SETTINGS, 0, 0, "", 0);
	turns(5);
	session_retire(t.rig.s);
	assert_null(t.rig.s);
	turns(5);
	say_whole();
	until_told("0:h200 hi EC");
	finish();
}

static void test_a_server_whose_window_is_shut_is_not_flooded(void **unused)
{
	static char block[16384];
	size_t sent = 0;

	(void)unused;
	begin();
	ask(0, 1 << 24);
	frame(SETTINGS, 0, 0, "", 0);
	for (bool room = true; room && sent < 1 << 24; sent += sizeof(block)) {
		room = upstream_send_body(t.rig.up[0], block, sizeof(block));
		turns(3);
	}
	assert_true(sent <= 256 * 1024);
	assert_string_equal(buf_str(&t.told), "");
	frame(8, 0, 1, (uint8_t[]){ 0, 16, 0, 0 }, 4);
	frame(8, 0, 0, (uint8_t[]){ 0, 16, 0, 0 }, 4);
	until_told("w ");
	finish();
}

static void test_a_head_that_cannot_be_written_is_not_sent(void **unused)
{
	const struct http_header bad[] = { { "host", "a" }, { "x", "a\r\nb: c" } };

	(void)unused;
	begin();
	session_rig_stream(&t.rig, 0, &ops);
	assert_false(upstream_request(t.rig.up[0], "GET", "/", bad, 2, UPSTREAM_NO_BODY));
	finish();
}

/* The promised stream's number, and ":method GET", ":path /", ":scheme http", ":authority a". */
static void promise(uint8_t stream)
{
	const uint8_t block[] = { 0, 0, 0, stream, 0x82, 0x84, 0x86, 0x41, 1, 'a' };

	frame(PUSH_PROMISE, WHOLE, 1, block, sizeof(block));
}

/* A server that has not acknowledged our settings may push; the stream that it promised is
 * cancelled. */
static void test_a_push_is_refused_and_harms_no_answer(void **unused)
{
	static const uint8_t refusal[] = { 0, 0, 4, RST_STREAM, 0, 0, 0, 0, 2, 0, 0, 0, 8 };

	(void)unused;
	begin();
	ask(0, UPSTREAM_NO_BODY);
	frame(SETTINGS, 0, 0, "", 0);
	promise(2);
	fields(WHOLE, 2, OK);
	frame(DATA, 0, 2, "pushed", 6);
	say_whole();
	until_told("0:h200 hi EC");
	turns(5);
	assert_non_null(memmem(t.sent.data, t.sent.size, refusal, sizeof(refusal)));
	assert_true(session_has_room(t.rig.s));
	finish();
}

static void test_a_push_after_we_forbade_it_ends_the_connection(void **unused)
{
	(void)unused;
	begin();
	ask(0, UPSTREAM_NO_BODY);
	frame(SETTINGS, 0, 0, "", 0);
	frame(SETTINGS, 1, 0, "", 0);
	promise(2);
	say_whole();
	until_told(" FC");
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_answer_is_told_or_refused),
		cmocka_unit_test(test_what_was_said_before_the_end_is_told_when_it_is_taken),
		cmocka_unit_test(test_there_is_room_for_as_many_as_the_server_says),
		cmocka_unit_test(test_a_session_that_is_retired_finishes_what_it_has),
		cmocka_unit_test(test_a_server_whose_window_is_shut_is_not_flooded),
		cmocka_unit_test(test_a_head_that_cannot_be_written_is_not_sent),
		cmocka_unit_test(test_a_push_is_refused_and_harms_no_answer),
		cmocka_unit_test(test_a_push_after_we_forbade_it_ends_the_connection),
	};

	return cmocka_run_group_tests_name("net/upstream_session", tests, NULL, NULL);
}
