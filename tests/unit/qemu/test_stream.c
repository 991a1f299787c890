/* stream.sock: the line of a stranger is taken in exactly one form. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "qemu/stream.h"

static void test_only_a_line_with_a_plain_decimal_port_or_for_a_shell_passes(void **unused)
{
	static const struct {
		const char *line;
		bool valid;
	} cases[] = {
		{ "CONNECT 8080\n", true },
		{ "CONNECT 1\n", true },
		{ "CONNECT 65535\n", true },
		{ "CONNECT 65536\n", false },
		{ "CONNECT 655360\n", false },
		{ "CONNECT 0\n", false },
		{ "CONNECT 080\n", false },
		{ "CONNECT \n", false },
		{ "CONNECT 80", false },
		{ "CONNECT 80 \n", false },
		{ "CONNECT -80\n", false },
		{ "CONNECT 80\r\n", false },
		{ "connect 80\n", false },
		{ "CONNECT  80\n", false },
		{ "CONNECT 4294967376\n", false },
		{ "\n", false },
		{ "CONNECT 99999\n", false },
		{ "SHELL\n", true },
		{ "SHELL 1\n", false },
		{ "SHELL\nx", false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(stream_line_valid(cases[i].line, strlen(cases[i].line)),
				 cases[i].valid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_a_line_with_a_plain_decimal_port_or_for_a_shell_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
