/* Ports as they are typed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cli/port_words.h"

static void test_a_port_has_a_protocol_or_is_of_tcp(void **unused)
{
	static const struct {
		const char *text;
		uint16_t port;
		bool datagrams;
	} good[] = { { "6379", 6379, false },
		     { "1/tcp", 1, false },
		     { "514/udp", 514, true },
		     { "65535/udp", 65535, true } };
	static const char *const bad[] = { "",        "0",      "65536",   "99999999999", "80/",
					   "80/sctp", "80/UDP", "80/tcp ", "-1",          "+80",
					   "http",    "80:81",  "/udp" };
	struct port_words p;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(port_words_read(good[i].text, &p, &e), 0);
		assert_int_equal(p.port, good[i].port);
		assert_int_equal(p.datagrams, good[i].datagrams);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!port_words_read(bad[i], &p, &e))
			fail_msg("'%s' is no port", bad[i]);
		assert_non_null(strstr(e.text, bad[i]));
	}
}

static void test_a_local_port_may_follow_and_may_be_any(void **unused)
{
	static const struct {
		const char *text;
		uint16_t port, local;
	} good[] = { { "6379", 6379, 6379 }, { "6379:16379", 6379, 16379 }, { "1:0", 1, 0 } };
	static const char *const bad[] = { "",      ":1",    "1:",      "0:1",  "1:65536",
					   "1:2:3", "1/udp", "1:2/udp", "1: 2", "a:b" };
	struct port_words p;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(port_words_read_pair(good[i].text, &p, &e), 0);
		assert_int_equal(p.port, good[i].port);
		assert_int_equal(p.local, good[i].local);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!port_words_read_pair(bad[i], &p, &e))
			fail_msg("'%s' is no PORT[:LOCAL]", bad[i]);
}

static void test_several_ports_and_ranges_are_separated_by_commas(void **unused)
{
	static const struct {
		const char *text;
		size_t n;
		struct port_range last;
	} good[] = { { "all", 0, { 0 } },
		     { "5432", 1, { 5432, 5432 } },
		     { "1-65535", 1, { 1, 65535 } },
		     { "6379,8000-8010", 2, { 8000, 8010 } },
		     { "1,1,1", 3, { 1, 1 } } };
	static const char *const bad[] = { "",     "0",     "0-5",   "5-4", "1-65536", "1,", ",1",
					   "1,,2", "1-2-3", "all,1", "1 ",  "a",       "1-" };
	struct port_range ranges[PORT_RANGES];
	char many[PORT_RANGES * 2 + 2];
	struct err e;
	size_t n;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(port_words_read_ranges(good[i].text, ranges, &n, &e), 0);
		assert_int_equal(n, good[i].n);
		if (!n)
			continue;
		assert_int_equal(ranges[n - 1].first, good[i].last.first);
		assert_int_equal(ranges[n - 1].last, good[i].last.last);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!port_words_read_ranges(bad[i], ranges, &n, &e))
			fail_msg("'%s' are no ports", bad[i]);
	for (size_t i = 0; i < PORT_RANGES + 1; i++)
		memcpy(many + 2 * i, i < PORT_RANGES ? "1," : "1", 2);
	assert_int_equal(port_words_read_ranges(many, ranges, &n, &e), -1);
	many[PORT_RANGES * 2 - 1] = '\0';
	assert_int_equal(port_words_read_ranges(many, ranges, &n, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_port_has_a_protocol_or_is_of_tcp),
		cmocka_unit_test(test_a_local_port_may_follow_and_may_be_any),
		cmocka_unit_test(test_several_ports_and_ranges_are_separated_by_commas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
