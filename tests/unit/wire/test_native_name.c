/* Where a client that does not speak HTTP wants to, and its token. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire/native_name.h"

#define ID     "ab345678-0000-4000-8000-0123456789ab"
#define DIGITS "12345678-0000-4000-8000-0123456789ab"

// clang-format off
static const struct {
	const char *host;
	enum native_name name;
	uint16_t port;
	const char *rest;
} hosts[] = {
	{ "5432-" ID ".lambda",      NATIVE_PORT,     5432,  ".lambda" },
	{ "1-" ID,                   NATIVE_PORT,     1,     "" },
	{ "65535-" DIGITS ".x",      NATIVE_PORT,     65535, ".x" },
	{ "0-" ID ".x",              NATIVE_BAD_PORT, 0,     ".x" },
	{ "65536-" ID ".x",          NATIVE_BAD_PORT, 0,     ".x" },
	{ "123456-" ID ".x",         NATIVE_BAD_PORT, 0,     ".x" },
	{ "99999999999999999999-" ID,NATIVE_BAD_PORT, 0,     "" },
	{ "080-" ID ".x",            NATIVE_BAD_PORT, 0,     ".x" },
	{ ID ".x",                   NATIVE_NONE,     0,     ".x" },
	{ DIGITS ".x",               NATIVE_NONE,     0,     ".x" },
	{ "-" ID ".x",               NATIVE_NONE,     0,     ".x" },
	{ "80-x.y",                  NATIVE_NONE,     0,     ".y" },
	{ "80-" ID "0.x",            NATIVE_NONE,     0,     ".x" },
	{ "80--" ID ".x",            NATIVE_NONE,     0,     ".x" },
	{ "80.-" ID ".x",            NATIVE_NONE,     0,     ".-" ID ".x" },
	{ "localhost",               NATIVE_NONE,     0,     "" },
	{ "",                        NATIVE_NONE,     0,     "" },
};

static const struct {
	const char *text;
	bool good;
	uint16_t port;
} options[] = {
	{ ID,             true,  0 },
	{ DIGITS,         true,  0 },
	{ ID "-5432",     true,  5432 },
	{ "5432-" ID,     true,  5432 },
	{ ID "-0",        false, 0 },
	{ ID "-65536",    false, 0 },
	{ ID "-",         false, 0 },
	{ ID "-80x",      false, 0 },
	{ ID "80",        false, 0 },
	{ "0-" ID,        false, 0 },
	{ "80-" ID ".x",  false, 0 },
	{ "x",            false, 0 },
	{ "",             false, 0 },
};
// clang-format on

static void test_a_host_names_a_port_and_an_endpoint(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		char endpoint[UUID_SIZE] = "";
		const char *rest;
		uint16_t port;

		assert_int_equal(native_name_read(hosts[i].host, endpoint, &port, &rest),
				 hosts[i].name);
		assert_string_equal(rest, hosts[i].rest);
		if (hosts[i].name == NATIVE_PORT)
			assert_int_equal(port, hosts[i].port);
		if (hosts[i].name != NATIVE_NONE)
			assert_true(uuid_valid(endpoint));
	}
}

static void test_an_option_names_an_endpoint_and_perhaps_a_port(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		char endpoint[UUID_SIZE] = "";
		uint16_t port;

		assert_int_equal(native_name_of_option(options[i].text, endpoint, &port),
				 options[i].good);
		if (!options[i].good)
			continue;
		assert_int_equal(port, options[i].port);
		assert_non_null(strstr(options[i].text, endpoint));
	}
}

static void test_the_pieces_of_a_token_are_joined_in_their_order(void **state)
{
	static const uint8_t list[] = "\x08http/1.1\x0e"
				      "doze-token.abc\x0a"
				      "postgresql\x0d"
				      "doze-token.de\x0b"
				      "doze-token.";
	autobuf struct buf token = { .secret = true };

	(void)state;
	native_token_join(list, sizeof(list) - 1, &token);
	assert_string_equal(buf_str(&token), "abcde");
}

static void test_a_list_that_is_cut_off_gives_what_is_whole(void **state)
{
	static const uint8_t list[] = "\x0d"
				      "doze-token.ab\x0d"
				      "doze-token.c";
	static const uint8_t empty[] = "\0\x0d"
				       "doze-token.xx";
	autobuf struct buf token = { .secret = true };

	(void)state;
	native_token_join(list, sizeof(list) - 1, &token);
	assert_string_equal(buf_str(&token), "ab");
	native_token_join(empty, sizeof(empty) - 1, &token);
	native_token_join(NULL, 0, &token);
	assert_string_equal(buf_str(&token), "ab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_host_names_a_port_and_an_endpoint),
		cmocka_unit_test(test_an_option_names_an_endpoint_and_perhaps_a_port),
		cmocka_unit_test(test_the_pieces_of_a_token_are_joined_in_their_order),
		cmocka_unit_test(test_a_list_that_is_cut_off_gives_what_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
