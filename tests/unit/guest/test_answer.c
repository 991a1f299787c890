/* What an application answers to a hook: its status, or that it is no HTTP. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guest/answer.h"

struct answer_row {
	const char *text;
	int rc, status;
};

// clang-format off
static const struct answer_row rows[] = {
	{ "HTTP/1.1 200 OK\r\n",                                       1, 200 },
	{ "HTTP/1.0 204 \r\nanything",                                 1, 204 },
	{ "HTTP/1.1 503\r\n",                                          1, 503 },
	{ "HTTP/1.1 503\n",                                            1, 503 },
	{ "HTTP/1.1 500 a very long reason phrase that goes on\r\n",   1, 500 },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",          1, 200 },
	{ "HTTP/1.1 103 Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 404 N\r\n", 1, 404 },
	{ "HTTP/1.1 100 Continue\n\nHTTP/1.1 201 C\n",                 1, 201 },
	{ "HTTP/1.1 200 OK",                                           0, 0 },
	{ "HTTP/1.1 100 Continue\r\nX: y\r\n",                         0, 0 },
	{ "",                                                          0, 0 },
	{ "\r\n",                                                      -1, 0 },
	{ "HTTP/2 200 OK\r\n",                                         -1, 0 },
	{ "HTTP/1.1 2000\r\n",                                         -1, 0 },
	{ "HTTP/1.1 20\r\n",                                           -1, 0 },
	{ "HTTP/1.1 2x0 OK\r\n",                                       -1, 0 },
	{ "HTTP/1.1 042 OK\r\n",                                       -1, 0 },
	{ "HTTP/1.1  200 OK\r\n",                                      -1, 0 },
	{ "HTTP/x.1 200 OK\r\n",                                       -1, 0 },
	{ "SSH-2.0-OpenSSH\r\n",                                       -1, 0 },
};
// clang-format on

static void test_the_status_is_found_whole_or_byte_by_byte(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const uint8_t *data = (const uint8_t *)rows[i].text;
		size_t size = strlen(rows[i].text);
		struct answer whole = { 0 }, pieces = { 0 };
		int rc = answer_feed(&whole, data, size), each = 0;

		for (size_t k = 0; k < size && !each; k++)
			each = answer_feed(&pieces, data + k, 1);
		if (rc != rows[i].rc || each != rc ||
		    (rc == 1 && (whole.status != rows[i].status || pieces.status != whole.status)))
			fail_msg("'%s': %d and %d, status %d", rows[i].text, rc, each,
				 whole.status);
	}
}

static void test_an_answer_without_an_end_is_refused(void **unused)
{
	static const uint8_t interim[] = "HTTP/1.1 100 C\r\n\r\n";
	uint8_t line[1024];
	struct answer a = { 0 };
	int rc = 0, n = 0;

	(void)unused;
	memset(line, 'x', sizeof(line));
	while (!rc && ++n < 100)
		rc = answer_feed(&a, line, sizeof(line));
	assert_int_equal(rc, -1);

	a = (struct answer){ 0 };
	for (rc = n = 0; !rc && n < 10000; n++)
		rc = answer_feed(&a, interim, sizeof(interim) - 1);
	assert_int_equal(rc, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_status_is_found_whole_or_byte_by_byte),
		cmocka_unit_test(test_an_answer_without_an_end_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
