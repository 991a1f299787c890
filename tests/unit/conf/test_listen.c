/* The addresses that API, S3 and endpoints listen on. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "conf/listen.h"

static void reads_as(const char *text, const char *expected)
{
	struct listen_addresses to;
	autobuf struct buf all = { 0 };
	struct err e;

	assert_int_equal(listen_read(text, &to, &e), 0);
	for (size_t i = 0; i < to.n; i++)
		buf_addf(&all, "%s%s", i ? " " : "", to.at[i]);
	assert_string_equal(buf_str(&all), expected);
}

static void clients_of_this_host_always_get_in(void **state)
{
	(void)state;
	reads_as("", "127.0.0.1 ::1");
	reads_as("192.0.2.7", "192.0.2.7 127.0.0.1 ::1");
	reads_as("0.0.0.0", "0.0.0.0 ::1");
	reads_as(":: 0.0.0.0", ":: 0.0.0.0");
	reads_as("127.0.0.1 ::1", "127.0.0.1 ::1");
}

static void an_address_is_taken_once_in_whatever_form(void **state)
{
	(void)state;
	reads_as("2001:db8::1, 2001:0db8:0::1\t192.0.2.7  192.0.2.7",
		 "2001:db8::1 192.0.2.7 127.0.0.1 ::1");
}

static void what_is_no_address_is_refused_with_a_sentence(void **state)
{
	static const char *const bad[] = { "localhost", "1.2.3",        "1.2.3.4:80",
					   "[::1]",     "fe80::1%eth0", "1.1.1.1 2.2.2.2 x" };
	struct listen_addresses to;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(listen_read(bad[i], &to, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_non_null(strstr(e.text, "is no address"));
	}
	assert_int_equal(listen_read("10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 "
				     "10.0.0.7 10.0.0.8",
				     &to, &e),
			 0);
	assert_int_equal(to.n, LISTEN_ADDRESSES);
	assert_int_equal(listen_read("10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 "
				     "10.0.0.7 10.0.0.8 10.0.0.9",
				     &to, &e),
			 -1);
}

static void loopback_and_all_are_told_apart(void **state)
{
	(void)state;
	assert_true(listen_is_wild("0.0.0.0"));
	assert_true(listen_is_wild("::"));
	assert_false(listen_is_wild("::1"));
	assert_false(listen_is_wild("name"));
	assert_true(listen_is_loopback("127.8.0.1"));
	assert_true(listen_is_loopback("::1"));
	assert_false(listen_is_loopback("128.0.0.1"));
	assert_true(listen_is_address("2001:db8::1"));
	assert_false(listen_is_address("db8.example"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_of_this_host_always_get_in),
		cmocka_unit_test(an_address_is_taken_once_in_whatever_form),
		cmocka_unit_test(what_is_no_address_is_refused_with_a_sentence),
		cmocka_unit_test(loopback_and_all_are_told_apart),
	};

	return cmocka_run_group_tests_name("conf/listen", tests, NULL, NULL);
}
