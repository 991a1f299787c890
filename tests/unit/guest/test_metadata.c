/* What a request to the metadata's address is answered. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guest/metadata.h"

#define LINE "POST /doze/lease HTTP/1.1\r\n"

static const struct {
	const char *text;
	unsigned status;
	uint64_t seconds;
} requests[] = {
	{ LINE "\r\n", 204, 60 },
	{ LINE "Host: 169.254.169.254\r\nContent-Length: 3\r\n\r\n600", 204, 600 },
	{ LINE "content-LENGTH:3\r\n\r\n600", 204, 600 },
	{ LINE "Content-Length: 3\r\n\r\n60", 0, 0 },
	{ LINE "Content-Length: 1\r\n\r\n600", 204, 6 },
	{ LINE "\r\nContent-Length: 9999\r\n\r\n", 204, 60 },
	{ "POST /doze/lease?x=1 HTTP/1.1\r\n\r\n", 204, 60 },
	{ LINE, 0, 0 },
	{ "POST /doze/le", 0, 0 },
	{ "", 0, 0 },
	{ "GET /doze/lease HTTP/1.1\r\n\r\n", 405, 0 },
	{ "GET /latest/meta-data/ HTTP/1.1\r\n\r\n", 404, 0 },
	{ "POST /doze/leases HTTP/1.1\r\n\r\n", 404, 0 },
	{ "POST http://169.254.169.254/doze/lease HTTP/1.1\r\n\r\n", 400, 0 },
	{ "nonsense\r\n\r\n", 400, 0 },
	{ LINE "Transfer-Encoding: chunked\r\n\r\n", 411, 0 },
	{ LINE "X-Forwarded-For: 1.2.3.4\r\n\r\n", 403, 0 },
	{ LINE "Content-Length: 65\r\n\r\n", 413, 0 },
	{ LINE "Content-Length: 99999999999999999999\r\n\r\n", 413, 0 },
	{ LINE "Content-Length: -1\r\n\r\n", 413, 0 },
};

static void each_request_has_its_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		uint64_t seconds = 0;

		print_message("%s\n", requests[i].text);
		assert_int_equal(
			metadata_judge(requests[i].text, strlen(requests[i].text), &seconds),
			requests[i].status);
		assert_int_equal(seconds, requests[i].seconds);
	}
}

static void a_head_that_is_too_long_or_no_text_is_refused(void **state)
{
	char text[METADATA_BYTES + 1];
	uint64_t seconds;

	(void)state;
	memset(text, 'a', METADATA_BYTES);
	text[METADATA_BYTES] = '\0';
	assert_int_equal(metadata_judge(text, METADATA_BYTES, &seconds), 431);
	text[5] = '\0';
	assert_int_equal(metadata_judge(text, 100, &seconds), 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_has_its_status),
		cmocka_unit_test(a_head_that_is_too_long_or_no_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
