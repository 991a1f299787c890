/* The request of a hook, byte by byte. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guest/hooks.h"

static void test_a_hook_without_a_body_says_so(void **unused)
{
	autobuf struct buf b = { 0 };

	(void)unused;
	hooks_request(&b, "resume", 9000, NULL, 0);
	assert_string_equal(buf_str(&b), "POST /aws/lambda-microvms/runtime/v1/resume HTTP/1.1\r\n"
					 "Host: localhost:9000\r\nContent-Length: 0\r\n"
					 "Connection: close\r\n\r\n");
}

static void test_a_body_is_json_with_its_length(void **unused)
{
	autobuf struct buf b = { 0 };

	(void)unused;
	hooks_request(&b, "run", 8080, "{}", 2);
	assert_string_equal(buf_str(&b),
			    "POST /aws/lambda-microvms/runtime/v1/run HTTP/1.1\r\n"
			    "Host: localhost:8080\r\nContent-Type: application/json\r\n"
			    "Content-Length: 2\r\nConnection: close\r\n\r\n{}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_hook_without_a_body_says_so),
		cmocka_unit_test(test_a_body_is_json_with_its_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
