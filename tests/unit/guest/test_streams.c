/* The line that asks for a port. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guest/streams.h"

// clang-format off
static const struct {
	const char *text;
	int rc;
	uint16_t port;
	size_t used;
} rows[] = {
	{ "CONNECT 5000\n",           1, 5000, 13 },
	{ "CONNECT 1\nGET / HTTP",    1, 1, 10 },
	{ "CONNECT 65535\n",          1, 65535, 14 },
	{ "CONNECT 0080\n",           1, 80, 13 },
	{ "",                         0, 0, 0 },
	{ "CON",                      0, 0, 0 },
	{ "CONNECT ",                 0, 0, 0 },
	{ "CONNECT 80",               0, 0, 0 },
	{ "CONNECT 65536\n",          -1, 0, 0 },
	{ "CONNECT 0\n",              -1, 0, 0 },
	{ "CONNECT \n",               -1, 0, 0 },
	{ "CONNECT 80\r\n",           -1, 0, 0 },
	{ "CONNECT -1\n",             -1, 0, 0 },
	{ "CONNECT  80\n",            -1, 0, 0 },
	{ "connect 80\n",             -1, 0, 0 },
	{ "GET / HTTP/1.1\r\n",       -1, 0, 0 },
	{ "CONNECT 00000000000000000000000000000000", -1, 0, 0 },
};
// clang-format on

static void test_only_connect_with_a_port_is_a_line(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint16_t port = 0;
		size_t used = 0;
		int rc = stream_line((const uint8_t *)rows[i].text, strlen(rows[i].text), &port,
				     &used);

		if (rc != rows[i].rc || (rc == 1 && (port != rows[i].port || used != rows[i].used)))
			fail_msg("'%s': %d, port %u, used %zu", rows[i].text, rc, port, used);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_connect_with_a_port_is_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
