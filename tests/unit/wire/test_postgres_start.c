/* What a client of PostgreSQL says first. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire/postgres_start.h"

#define V3     "\0\3\0\0"
#define SSL    "\0\0\0\x08\x04\xd2\x16\x2f"
#define GSS    "\0\0\0\x08\x04\xd2\x16\x30"
#define CANCEL "\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2"

#define BYTES(text) (text), sizeof(text) - 1

// clang-format off
static const struct {
	const char *data;
	size_t size;
	enum postgres_start start;
	size_t used;
} starts[] = {
	{ BYTES(SSL),                          POSTGRES_SSL,     8 },
	{ BYTES(SSL "\x16\x03\x01"),           POSTGRES_SSL,     8 },
	{ BYTES(GSS),                          POSTGRES_GSS,     8 },
	{ BYTES(CANCEL),                       POSTGRES_CANCEL,  16 },
	{ BYTES("\0\0\0\x0d" V3 "a\0b\0\0"),   POSTGRES_STARTUP, 13 },
	{ BYTES("\0\0\0\x09\0\3\0\2\0"),       POSTGRES_STARTUP, 9 },
	{ BYTES("\0\0\0\x08" V3),              POSTGRES_BAD,     0 },
	{ BYTES("\0\0\0\x09\0\2\0\0\0"),       POSTGRES_BAD,     0 },
	{ BYTES("\0\0\0\x09\x04\xd2\x16\x2f\0"), POSTGRES_BAD,   0 },
	{ BYTES("\0\0\0\x08\x04\xd2\x16\x2e"), POSTGRES_BAD,     0 },
	{ BYTES("\0\0\0\x07"),                 POSTGRES_BAD,     0 },
	{ BYTES("\0\0\x27\x11"),               POSTGRES_BAD,     0 },
	{ BYTES("\0\0\x27\x10" V3),            POSTGRES_MORE,    0 },
	{ BYTES("GET / HTTP/1.1\r\n"),         POSTGRES_BAD,     0 },
	{ BYTES("*1\r\n$4\r\nPING\r\n"),       POSTGRES_BAD,     0 },
	{ BYTES("GET"),                        POSTGRES_MORE,    0 },
	{ BYTES(""),                           POSTGRES_MORE,    0 },
};

static const struct {
	const char *options, *left; /* NULL: not there */
	const char *endpoint, *token;
} takes[] = {
	{ NULL,                              NULL,                    "",  "" },
	{ "",                                "",                      "",  "" },
	{ "-c  geqo=off",                    "-c  geqo=off",          "",  "" },
	{ "endpoint=e",                      NULL,                    "e", "" },
	{ " endpoint=e\ttoken=t ",           NULL,                    "e", "t" },
	{ "-c geqo=off endpoint=e",          "-c geqo=off",           "e", "" },
	{ "endpoint=e -c  geqo=off -d 5",    "-c geqo=off -d 5",      "e", "" },
	{ "-c endpoint=e -c geqo=off",       "-c geqo=off",           "e", "" },
	{ "-c geqo=off -c token=t",          "-c geqo=off",           "",  "t" },
	{ "-c search_path=a\\ token=b token=t", "-c search_path=a\\ token=b", "", "t" },
	{ "token=t -c",                      "-c",                    "",  "t" },
	{ "token=t ends\\",                  "ends\\",                "",  "t" },
	{ "xendpoint=e",                     "xendpoint=e",           "",  "" },
};

static const char *const bad_options[] = {
	"endpoint=", "token= x", "endpoint=a endpoint=b", "token=a -c token=a",
};

static const struct {
	const char *data;
	size_t size;
} bad_packets[] = {
	{ BYTES("\0\0\0\x0a" V3 "a\0") },
	{ BYTES("\0\0\0\x0a" V3 "ab") },
	{ BYTES("\0\0\0\x0c" V3 "a\0b\0") },
	{ BYTES("\0\0\0\x0d" V3 "a\0bcd") },
	{ BYTES("\0\0\0\x0a" V3 "\0\0") },
	{ BYTES("\0\0\0\x0e" V3 "a\0b\0\0x") },
};
// clang-format on

static void test_each_start_is_told_apart_from_whatever_else_comes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		const uint8_t *data = (const uint8_t *)starts[i].data;
		size_t used = 0;

		assert_int_equal(postgres_start_read(data, starts[i].size, &used), starts[i].start);
		if (starts[i].used)
			assert_int_equal(used, starts[i].used);
		for (size_t n = 0; n < starts[i].used; n++)
			assert_int_equal(postgres_start_read(data, n, &used), POSTGRES_MORE);
	}
}

static void startup(struct buf *b, const char *options)
{
	buf_add(b, "\0\0\0\0" V3, 8);
	buf_add(b, "user\0me", 8);
	if (options) {
		buf_add(b, "options", 8);
		buf_add(b, options, strlen(options) + 1);
	}
	buf_add(b, "database\0things\0", 17);
	b->data[3] = (uint8_t)b->size;
}

static void test_only_the_words_for_the_endpoint_are_taken_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(takes); i++) {
		autobuf struct buf packet = { 0 }, wanted = { 0 }, to = { 0 }, endpoint = { 0 },
				   token = { 0 };
		struct err e;

		startup(&packet, takes[i].options);
		startup(&wanted, takes[i].left);
		assert_int_equal(
			postgres_startup_take(packet.data, packet.size, &to, &endpoint, &token, &e),
			0);
		assert_int_equal(to.size, wanted.size);
		assert_memory_equal(to.data, wanted.data, wanted.size);
		assert_string_equal(buf_str(&endpoint), takes[i].endpoint);
		assert_string_equal(buf_str(&token), takes[i].token);
	}
}

static void test_a_start_that_is_not_whole_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_packets) + ARRAY_SIZE(bad_options); i++) {
		autobuf struct buf packet = { 0 }, to = { 0 }, endpoint = { 0 }, token = { 0 };
		struct err e;

		if (i < ARRAY_SIZE(bad_packets))
			buf_add(&packet, bad_packets[i].data, bad_packets[i].size);
		else
			startup(&packet, bad_options[i - ARRAY_SIZE(bad_packets)]);
		assert_int_equal(
			postgres_startup_take(packet.data, packet.size, &to, &endpoint, &token, &e),
			-1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
}

static void test_a_refusal_has_the_form_that_clients_show(void **state)
{
	static const char wanted[] = "E\0\0\0\x23SFATAL\0VFATAL\0C28000\0Mgo away\0";
	autobuf struct buf b = { 0 };

	(void)state;
	postgres_error_put(&b, "28000", "go away");
	assert_int_equal(b.size, sizeof(wanted));
	assert_memory_equal(b.data, wanted, sizeof(wanted));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_start_is_told_apart_from_whatever_else_comes),
		cmocka_unit_test(test_only_the_words_for_the_endpoint_are_taken_out),
		cmocka_unit_test(test_a_start_that_is_not_whole_is_refused),
		cmocka_unit_test(test_a_refusal_has_the_form_that_clients_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
