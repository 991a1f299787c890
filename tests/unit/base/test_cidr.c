/* Ranges of addresses: what is one, and what is in it. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/cidr.h"

static void test_only_a_prefix_with_nothing_behind_it_is_a_range(void **unused)
{
	static const char *const good[] = { "10.0.0.0/8",  "0.0.0.0/0",   "192.168.1.4",
					    "1.2.3.4/32",  "::/0",        "2001:db8::/32",
					    "2001:db8::1", "128.0.0.0/1", "fe80::/10" };
	static const char *const bad[] = {
		"",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.1/8",
		"10/8",
		"10.0.0.0/08",
		"10.0.0.0/+8",
		"10.0.0.0/8 ",
		" 10.0.0.0/8",
		"::/129",
		"::1/64",
		"10.0.0.0/8/8",
		"host",
		"1.2.3.4.5",
		"2001:db8::/31x",
		"129.0.0.0/1",
		"fe81::/15",
		"10.0.0.0/-1",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/64"
	};
	struct cidr r;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		if (!cidr_read(good[i], &r) || !cidr_is_sane(&r))
			fail_msg("'%s' is a range", good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (cidr_read(bad[i], &r))
			fail_msg("'%s' is no range", bad[i]);
}

static struct sockaddr_storage at(const char *text)
{
	struct sockaddr_storage s = { 0 };
	struct sockaddr_in *four = (void *)&s;
	struct sockaddr_in6 *six = (void *)&s;

	s.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(s.ss_family, text,
				   s.ss_family == AF_INET ? (void *)&four->sin_addr
							  : (void *)&six->sin6_addr),
			 1);
	return s;
}

static void test_an_address_is_in_the_ranges_whose_prefix_it_has(void **unused)
{
	static const struct {
		const char *range, *address;
		bool has;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
		{ "10.0.0.0/8", "a00::1", false },
		{ "0.0.0.0/0", "255.1.1.1", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "::1", true },
		{ "::/0", "1.2.3.4", false },
		{ "192.168.1.4", "192.168.1.4", true },
		{ "192.168.1.4", "192.168.1.5", false },
		{ "192.168.1.4/31", "192.168.1.5", true },
		{ "192.168.1.4/31", "192.168.1.6", false },
		{ "172.16.0.0/12", "172.31.9.9", true },
		{ "172.16.0.0/12", "172.32.0.0", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::1", "::1", true },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sockaddr_storage address = at(rows[i].address);
		struct cidr r;

		assert_true(cidr_read(rows[i].range, &r));
		if (cidr_has(&r, &address) != rows[i].has)
			fail_msg("%s in %s", rows[i].address, rows[i].range);
	}
}

static void test_what_is_no_address_is_in_no_range(void **unused)
{
	const struct sockaddr_storage local = { .ss_family = AF_UNIX };
	struct cidr all;

	(void)unused;
	assert_true(cidr_read("0.0.0.0/0", &all));
	assert_false(cidr_has(&all, &local));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_a_prefix_with_nothing_behind_it_is_a_range),
		cmocka_unit_test(test_an_address_is_in_the_ranges_whose_prefix_it_has),
		cmocka_unit_test(test_what_is_no_address_is_in_no_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
