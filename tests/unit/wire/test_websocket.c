/* A WebSocket's two ends, over buffers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/websocket.h"

static struct {
	struct websocket *server, *client;
	struct buf got; /* "t:text;" and "b:bytes;" */
	unsigned code, closes;
	char reason[WEBSOCKET_REASON + 1];
} t;

static void on_message(void *arg, enum websocket_type type, const uint8_t *data, size_t size)
{
	(void)arg;
	buf_adds(&t.got, type == WEBSOCKET_TEXT ? "t:" : "b:");
	buf_add(&t.got, data, size);
	buf_adds(&t.got, ";");
}

static void on_closed(void *arg, unsigned code, const char *reason)
{
	(void)arg;
	t.code = code;
	t.closes++;
	snprintf(t.reason, sizeof(t.reason), "%s", reason);
}

static const struct websocket_ops ops = { .message = on_message, .closed = on_closed };

static int begin(void **unused)
{
	(void)unused;
	memset(&t, 0, sizeof(t));
	t.server = websocket_new(false, 1000, &ops, NULL);
	t.client = websocket_new(true, 1000, &ops, NULL);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	websocket_free(t.server);
	websocket_free(t.client);
	buf_free(&t.got);
	return 0;
}

/* What one has to say reaches the other, in pieces of @piece bytes. */
static void carry(struct websocket *from, struct websocket *to, size_t piece)
{
	struct buf *out = websocket_out(from);

	while (out->size) {
		uint8_t bytes[2048];
		size_t n = out->size < piece ? out->size : piece;

		n = n < sizeof(bytes) ? n : sizeof(bytes);
		memcpy(bytes, out->data, n);
		buf_drop(out, n);
		websocket_feed(to, bytes, n);
	}
}

static void test_messages_come_whole_however_they_are_cut(void **unused)
{
	(void)unused;
	for (size_t piece = 1; piece < 20; piece++) {
		websocket_send(t.client, WEBSOCKET_BINARY, "some bytes", 10);
		websocket_send(t.client, WEBSOCKET_TEXT, "a text", 6);
		carry(t.client, t.server, piece);
		assert_string_equal(buf_str(&t.got), "b:some bytes;t:a text;");
		buf_clear(&t.got);
	}
	websocket_send(t.server, WEBSOCKET_TEXT, "back", 4);
	carry(t.server, t.client, 3);
	assert_string_equal(buf_str(&t.got), "t:back;");
}

static void test_both_sides_hear_of_a_close_once(void **unused)
{
	(void)unused;
	websocket_close(t.server, 1000, "shell exited");
	websocket_send(t.server, WEBSOCKET_TEXT, "late", 4);
	carry(t.server, t.client, 5);
	assert_int_equal(t.code, 1000);
	assert_string_equal(t.reason, "shell exited");
	carry(t.client, t.server, 5);
	assert_int_equal(t.closes, 2);
	assert_int_equal(t.got.size, 0);
}

/* The frames of a client that breaks the protocol, and the code that it gets. */
static void test_a_breach_is_closed_with_its_code(void **unused)
{
#define FRAME(text) text, sizeof(text) - 1
	static const struct {
		const char *what, *bytes;
		size_t size;
		unsigned code;
	} rows[] = {
		{ "no mask", FRAME("\x82\x01x"), 1002 },
		{ "a reserved bit", FRAME("\xc2\x81\0\0\0\0x"), 1002 },
		{ "an unknown opcode", FRAME("\x83\x81\0\0\0\0x"), 1002 },
		{ "a fragment of nothing", FRAME("\x80\x81\0\0\0\0x"), 1002 },
		{ "a ping in fragments", FRAME("\x09\x81\0\0\0\0x"), 1002 },
		{ "a long ping", FRAME("\x89\xfe\0\x7e\0\0\0\0"), 1002 },
		{ "a text that is no UTF-8", FRAME("\x81\x82\0\0\0\0\xc0\x80"), 1007 },
		{ "a close of one byte", FRAME("\x88\x81\0\0\0\0x"), 1005 },
		{ "a close with a code that is none", FRAME("\x88\x82\0\0\0\0\x03\xed"), 1002 },
		{ "too long a message", FRAME("\x82\xfe\x03\xe9\0\0\0\0x"), 1009 },
		{ "a message of 2^63 bytes",
		  FRAME("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0x"), 1009 },
		{ "a length with a sign", FRAME("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"),
		  1002 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct websocket *w = websocket_new(false, 1000, &ops, NULL);
		const uint8_t *out;

		t.closes = t.code = 0;
		websocket_feed(w, (const uint8_t *)rows[i].bytes, rows[i].size);
		out = websocket_out(w)->data;
		if (t.closes != 1 || t.code != rows[i].code || websocket_out(w)->size < 2 ||
		    out[0] != 0x88 || (out[1] && (out[2] << 8 | out[3]) != (int)rows[i].code))
			fail_msg("%s: %u closes, code %u", rows[i].what, t.closes, t.code);
		websocket_feed(w, (const uint8_t *)"\x82\x81\0\0\0\0x", 7);
		assert_int_equal(t.closes, 1);
		assert_int_equal(t.got.size, 0);
		websocket_free(w);
	}
}

static void test_a_ping_is_answered(void **unused)
{
	(void)unused;
	websocket_ping(t.client);
	carry(t.client, t.server, 100);
	assert_int_equal(websocket_out(t.server)->data[0], 0x8a);
}

static void test_the_handshake_is_that_of_the_rfc(void **unused)
{
	char accept[WEBSOCKET_ACCEPT], key[WEBSOCKET_KEY];

	(void)unused;
	websocket_accept("dGhlIHNhbXBsZSBub25jZQ==", accept);
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	websocket_key(key);
	assert_true(websocket_key_valid(key));
	assert_false(websocket_key_valid(""));
	assert_false(websocket_key_valid("dGhlIHNhbXBsZSBub25jZQ="));
	assert_false(websocket_key_valid("dGhlIHNhbXBsZSBub25jZSEh"));
	assert_false(websocket_key_valid("!!!!!!!!!!!!!!!!!!!!!!=="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_messages_come_whole_however_they_are_cut,
						begin, end),
		cmocka_unit_test_setup_teardown(test_both_sides_hear_of_a_close_once, begin, end),
		cmocka_unit_test_setup_teardown(test_a_breach_is_closed_with_its_code, begin, end),
		cmocka_unit_test_setup_teardown(test_a_ping_is_answered, begin, end),
		cmocka_unit_test(test_the_handshake_is_that_of_the_rfc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
