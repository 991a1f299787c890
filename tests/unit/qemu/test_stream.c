/* stream.sock: the line of a stranger is taken in exactly one form. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "qemu/stream.h"

static void test_only_a_plain_decimal_port_is_a_port(void **unused)
{
	static const struct {
		const char *line;
		uint16_t port;
	} cases[] = {
		{ "CONNECT 8080\n", 8080 },    { "CONNECT 1\n", 1 },
		{ "CONNECT 65535\n", 65535 },  { "CONNECT 65536\n", 0 },
		{ "CONNECT 655360\n", 0 },     { "CONNECT 0\n", 0 },
		{ "CONNECT 080\n", 0 },        { "CONNECT \n", 0 },
		{ "CONNECT 80", 0 },           { "CONNECT 80 \n", 0 },
		{ "CONNECT -80\n", 0 },        { "CONNECT 80\r\n", 0 },
		{ "connect 80\n", 0 },         { "CONNECT  80\n", 0 },
		{ "CONNECT 4294967376\n", 0 }, { "\n", 0 },
		{ "CONNECT 99999\n", 0 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(stream_parse_line(cases[i].line, strlen(cases[i].line)),
				 cases[i].port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_a_plain_decimal_port_is_a_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
