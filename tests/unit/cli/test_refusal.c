/* An endpoint that answers in the place of its application says nothing, so `doze curl` does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/refusal.h"

#define OURS "Content-Length: 0\r\ncache-control: private, no-store\r\nx-amzn-requestid: 1\r\n\r\n"

static void test_only_what_the_endpoint_itself_answered_is_a_refusal(void **unused)
{
	static const struct {
		const char *heads;
		int status;
	} rows[] = {
		{ "", 0 },
		{ "\n\n", 0 },
		{ "HTTP/1.1 502 Bad Gateway\r\n" OURS, 502 },
		{ "HTTP/1.1 504 Gateway Timeout\r\n" OURS, 504 },
		{ "HTTP/1.1 502\r\n" OURS, 502 },
		{ "HTTP/1.1 403 Forbidden\r\n" OURS, 0 },
		{ "HTTP/1.1 200 OK\r\n" OURS, 0 },
		{ "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", 0 },
		{ "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 07\r\n"
		  "cache-control: private, no-store\r\n\r\n",
		  0 },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 502 Bad Gateway\r\n" OURS, 502 },
		{ "HTTP/1.1 502 Bad Gateway\r\n" OURS "HTTP/1.1 200 OK\r\n\r\n", 0 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(refusal_status(rows[i].heads), rows[i].status);
}

static void test_the_reason_is_what_the_microvm_is(void **unused)
{
	static const struct {
		const char *vm;
		int status;
		const char *text;
	} rows[] = {
		{ "\"state\":\"SUSPENDED\"", 502,
		  "it is suspended, and does not wake by itself: 'doze --instance t1 resume "
		  "microvm-a' "
		  "wakes it" },
		{ "\"state\":\"SUSPENDED\",\"idlePolicy\":{\"autoResumeEnabled\":false}", 502,
		  "it is suspended, and does not wake by itself: 'doze --instance t1 resume "
		  "microvm-a' "
		  "wakes it" },
		{ "\"state\":\"SUSPENDED\",\"idlePolicy\":{\"autoResumeEnabled\":true}", 502,
		  "it is suspended, and could not be woken: 'doze --instance t1 resume microvm-a' "
		  "says "
		  "why" },
		{ "\"state\":\"TERMINATED\",\"stateReason\":\"it ended\"", 502,
		  "it is TERMINATED: it ended" },
		{ "\"state\":\"SUSPENDING\"", 502, "it is SUSPENDING" },
		{ "\"state\":\"RUNNING\"", 502,
		  "nothing in it answers on port 99; 'doze --instance t1 logs microvm-a' shows "
		  "what it "
		  "wrote" },
		{ "\"state\":\"RUNNING\"", 504,
		  "its application on port 99 did not answer in time; 'doze --instance t1 logs "
		  "microvm-a' shows what it wrote" },
	};
	struct conf conf;

	(void)unused;
	conf_defaults(&conf, "t1");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autofree char *json = xasprintf("{\"microvmId\":\"microvm-a\",%s}", rows[i].vm);
		autofree char *text = NULL;
		json_t *vm = json_loads(json, 0, NULL);

		assert_non_null(vm);
		text = refusal_text(&conf, vm, 99, rows[i].status);
		assert_string_equal(text, rows[i].text);
		json_decref(vm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_the_endpoint_itself_answered_is_a_refusal),
		cmocka_unit_test(test_the_reason_is_what_the_microvm_is),
	};

	return cmocka_run_group_tests_name("cli/refusal", tests, NULL, NULL);
}
