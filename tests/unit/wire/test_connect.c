/* The line that asks for a port of a guest. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire/connect.h"

// clang-format off
static const struct {
	const char *text;
	int rc;
	uint16_t port;
	size_t used;
	enum connect_way way;
} rows[] = {
	{ "CONNECT 5000\n",           1, 5000, 13, CONNECT_PLAIN },
	{ "CONNECT 1\nGET / HTTP",    1, 1, 10, CONNECT_PLAIN },
	{ "CONNECT 65535\n",          1, 65535, 14, CONNECT_PLAIN },
	{ "CONNECT 0080\n",           1, 80, 13, CONNECT_PLAIN },
	{ "CONNECT 3306 now\nx",      1, 3306, 17, CONNECT_AT_ONCE },
	{ "CONNECT 514 udp\n",        1, 514, 16, CONNECT_DATAGRAMS },
	{ "CONNECT 514 ud",           0, 0, 0, CONNECT_PLAIN },
	{ "CONNECT 514 ",             0, 0, 0, CONNECT_PLAIN },
	{ "CONNECT 514 tcp\n",        -1, 0, 0, CONNECT_PLAIN },
	{ "CONNECT 514 udp \n",       -1, 0, 0, CONNECT_PLAIN },
	{ "CONNECT 514  udp\n",       -1, 0, 0, CONNECT_PLAIN },
	{ "CONNECT 514udp\n",         -1, 0, 0, CONNECT_PLAIN },
	{ "CONNECT 0 now\n",          -1, 0, 0, CONNECT_PLAIN },
	{ "SHELL\n",                  1, 0, 6, CONNECT_SHELL },
	{ "SHELL\nabc",               1, 0, 6, CONNECT_SHELL },
	{ "SHE",                      0, 0, 0, CONNECT_PLAIN },
	{ "SHELL 1\n",                -1, 0, 0, CONNECT_PLAIN },
	{ "SHELLS\n",                 -1, 0, 0, CONNECT_PLAIN },
	{ "",                         0, 0, 0, CONNECT_PLAIN },
	{ "CON",                      0, 0, 0, CONNECT_PLAIN },
	{ "CONNECT ",                 0, 0, 0, CONNECT_PLAIN },
	{ "CONNECT 80",               0, 0, 0, CONNECT_PLAIN },
	{ "CONNECT 65536\n",          -1, 0, 0, CONNECT_PLAIN },
	{ "CONNECT 0\n",              -1, 0, 0, CONNECT_PLAIN },
	{ "CONNECT \n",               -1, 0, 0, CONNECT_PLAIN },
	{ "CONNECT 80\r\n",           -1, 0, 0, CONNECT_PLAIN },
	{ "CONNECT -1\n",             -1, 0, 0, CONNECT_PLAIN },
	{ "CONNECT  80\n",            -1, 0, 0, CONNECT_PLAIN },
	{ "connect 80\n",             -1, 0, 0, CONNECT_PLAIN },
	{ "GET / HTTP/1.1\r\n",       -1, 0, 0, CONNECT_PLAIN },
	{ "CONNECT 00000000000000000000000000000000", -1, 0, 0, CONNECT_PLAIN },
};
// clang-format on

static void test_only_connect_with_a_port_is_a_line(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct connect_ask ask = { 0 };
		size_t used = 0;
		int rc = connect_read(rows[i].text, strlen(rows[i].text), &ask, &used);

		if (rc != rows[i].rc ||
		    (rc == 1 &&
		     (ask.port != rows[i].port || used != rows[i].used || ask.way != rows[i].way)))
			fail_msg("'%s': %d, port %u, used %zu", rows[i].text, rc, ask.port, used);
	}
}

static void test_what_is_written_is_read(void **unused)
{
	static const uint16_t ports[] = { 1, 80, 65535 };
	struct connect_ask got;
	size_t used;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		for (size_t way = 0; way < CONNECT_NUM_WAYS; way++) {
			char line[CONNECT_LINE];

			connect_write(line,
				      &(struct connect_ask){ ports[i], (enum connect_way)way });
			assert_int_equal(connect_read(line, strlen(line), &got, &used), 1);
			assert_int_equal(used, strlen(line));
			assert_int_equal(got.port, way == CONNECT_SHELL ? 0 : ports[i]);
			assert_int_equal(got.way, way);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_connect_with_a_port_is_a_line),
		cmocka_unit_test(test_what_is_written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
