/* What is remembered of an application's ports. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/app_port.h"

static void test_a_port_is_unknown_until_it_is_found_out(void **unused)
{
	struct app_ports ports = { 0 };

	(void)unused;
	assert_int_equal(app_port_of(&ports, 80)->speech, APP_UNKNOWN);
	app_port_of(&ports, 80)->speech = APP_TLS;
	app_port_of(&ports, 81)->speech = APP_PLAIN;
	assert_int_equal(app_port_of(&ports, 80)->speech, APP_TLS);
	assert_int_equal(app_port_of(&ports, 81)->speech, APP_PLAIN);
}

static void test_the_port_that_was_needed_longest_ago_is_forgotten(void **unused)
{
	struct app_ports ports = { 0 };

	(void)unused;
	for (uint16_t port = 1; port <= APP_PORTS; port++)
		app_port_of(&ports, port)->speech = APP_TLS;
	assert_int_equal(app_port_of(&ports, 1)->speech, APP_TLS);
	assert_int_equal(app_port_of(&ports, APP_PORTS + 1)->speech, APP_UNKNOWN);
	assert_int_equal(app_port_of(&ports, 1)->speech, APP_TLS);
	assert_int_equal(app_port_of(&ports, 2)->speech, APP_UNKNOWN);
}

static void test_a_plain_port_that_fails_may_speak_tls_by_now(void **unused)
{
	struct app_port plain = { .speech = APP_PLAIN }, tls = { .speech = APP_TLS };

	(void)unused;
	app_port_failed(&plain);
	app_port_failed(&tls);
	assert_int_equal(plain.speech, APP_UNKNOWN);
	assert_int_equal(tls.speech, APP_TLS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_port_is_unknown_until_it_is_found_out),
		cmocka_unit_test(test_the_port_that_was_needed_longest_ago_is_forgotten),
		cmocka_unit_test(test_a_plain_port_that_fails_may_speak_tls_by_now),
	};

	return cmocka_run_group_tests_name("proxy/app_port", tests, NULL, NULL);
}
