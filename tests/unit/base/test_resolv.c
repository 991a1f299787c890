/* Which resolver a resolv.conf gives to guests. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/resolv.h"

static const struct {
	const char *text;
	uint32_t ip;
} cases[] = {
	{ "", 0 },
	{ "nameserver 192.0.2.53\n", 0xc0000235 },
	{ "nameserver\t192.0.2.53 # office", 0xc0000235 },
	{ "  nameserver   192.0.2.53\r\n", 0xc0000235 },
	{ "# nameserver 192.0.2.1\n;nameserver 192.0.2.2\nnameserver 192.0.2.3\n", 0xc0000203 },
	{ "nameserver 127.0.0.53\nnameserver 192.0.2.3\n", 0xc0000203 },
	{ "nameserver ::1\nnameserver 2001:db8::1\nnameserver 192.0.2.3\n", 0xc0000203 },
	{ "nameserver 0.0.0.0\nnameserver 224.0.0.1\nnameserver 127.0.0.1", 0 },
	{ "nameserver 192.0.2\nnameserver 192.0.2.256\nnameserver\nnameserver \n", 0 },
	{ "nameservers 192.0.2.3\nsearch nameserver 192.0.2.4\n", 0 },
	{ "nameserver 192.0.2.3 192.0.2.4\nnameserver 192.0.2.5", 0xc0000203 },
};

static void test_the_first_usable_resolver_is_taken(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(resolv_parse(cases[i].text), cases[i].ip);
}

static void test_a_configured_resolver_comes_first(void **unused)
{
	bool behind_stub = true;

	(void)unused;
	assert_int_equal(resolv_read("192.0.2.7", &behind_stub), 0xc0000207);
	assert_int_equal(resolv_read("127.0.0.1", &behind_stub), 0);
	assert_int_equal(resolv_read("dns.example", &behind_stub), 0);
	assert_false(behind_stub);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_usable_resolver_is_taken),
		cmocka_unit_test(test_a_configured_resolver_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
