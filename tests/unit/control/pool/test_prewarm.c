/* Which request warms an image. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "control/pool/prewarm.h"

static void test_a_warm_request_is_found_by_its_image(void **unused)
{
	const char *conf = "api=5000:/health?a=1, hello=8080:/,bad=0:/,worse=80:x";
	char path[64];
	uint16_t port = 0;

	(void)unused;
	assert_true(prewarm_find_request(conf, "hello", &port, path, sizeof(path)));
	assert_int_equal(port, 8080);
	assert_string_equal(path, "/");
	assert_true(prewarm_find_request(conf, "api", &port, path, sizeof(path)));
	assert_string_equal(path, "/health?a=1");
	assert_false(prewarm_find_request(conf, "hell", &port, path, sizeof(path)));
	assert_false(prewarm_find_request(conf, "bad", &port, path, sizeof(path)));
	assert_false(prewarm_find_request(conf, "worse", &port, path, sizeof(path)));
	assert_false(prewarm_find_request("", "hello", &port, path, sizeof(path)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_warm_request_is_found_by_its_image),
	};

	return cmocka_run_group_tests_name("control/pool/prewarm", tests, NULL, NULL);
}
