/* Parsers that come and go. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net/parsers.h"

static enum http1_event next(struct http1 *p, const char *text, size_t *used)
{
	const uint8_t *body;
	size_t size;

	return http1_next(p, (const uint8_t *)text, strlen(text), used, &body, &size);
}

/* Whatever the last user left. */
static const char *const left[] = {
	"",
	"GET / HT",
	"GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n",
	"GET / HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n",
	"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
	"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: 1\r\ny",
	"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n",
};

static void test_a_parser_knows_nothing_of_its_last_message(void **unused)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
		struct http1 *p = parser_take(true);
		const char *at = left[i];
		size_t used, n;

		http1_expect_no_body(p, true);
		while (*at && next(p, at, &used) != HTTP1_BAD && used)
			at += used;
		parser_give(p);

		p = parser_take(false);
		assert_int_equal(next(p, answer, &used), HTTP1_HEAD);
		assert_int_equal(used, sizeof(answer) - 1);
		assert_false(http1_head(p)->request);
		assert_int_equal(http1_head(p)->status, 200);
		assert_int_equal(http1_head(p)->n_headers, 1);
		assert_int_equal(next(p, "", &used), HTTP1_END);
		(void)http1_trailers(p, &n);
		assert_int_equal(n, 0);
		assert_true(http1_finish(p));
		parser_give(p);
	}
}

static void test_a_parser_waits_for_a_body_again(void **unused)
{
	struct http1 *p = parser_take(false);
	size_t used;

	(void)unused;
	http1_expect_no_body(p, true);
	parser_give(p);
	p = parser_take(false);
	assert_int_equal(next(p, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", &used),
			 HTTP1_HEAD);
	assert_int_equal(next(p, "hi", &used), HTTP1_BODY);
	assert_int_equal(next(p, "", &used), HTTP1_END);
	parser_give(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_parser_knows_nothing_of_its_last_message),
		cmocka_unit_test(test_a_parser_waits_for_a_body_again),
	};

	return cmocka_run_group_tests_name("net/parsers", tests, NULL, NULL);
}
