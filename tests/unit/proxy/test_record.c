/* Records of requests: what the access log says, and what the meters count. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/meters.h"
#include "proxy/record.h"

#define WALL 1700000000123

static struct http_head head_of(const char *method, const char *target)
{
	struct http_head head = { .request = true, .target = target };

	strcpy(head.method, method);
	head.headers[head.n_headers++] =
		(struct http_header){ "traceparent",
				      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
	head.headers[head.n_headers++] = (struct http_header){ "x-aws-proxy-auth", "SECRET" };
	head.headers[head.n_headers++] = (struct http_header){ "cookie", "SECRET" };
	return head;
}

static const char *line_of(struct request_record *r, int64_t now)
{
	static struct buf line;

	buf_clear(&line);
	record_put(r, now, &line);
	record_free(r);
	return buf_str(&line);
}

static void test_a_line_says_all_that_happened(void **unused)
{
	struct http_head head = head_of("POST", "/a/b?token=SECRET");
	struct request_record r;

	(void)unused;
	record_begin(&r, &head, 1, WALL, 1000);
	record_route(&r, "endpoint", "microvm-1", 8080);
	record_hold(&r, true, 1005);
	record_hold(&r, false, 1400);
	record_sent(&r, 1505);
	r.in = 12;
	r.out = 34;
	record_answer(&r, 201, 1600);
	assert_string_equal(
		line_of(&r, 1700),
		"{\"time\":\"2023-11-14T22:13:20.123Z\",\"microvm\":\"microvm-1\",\"port\":8080,"
		"\"http\":1,\"method\":\"POST\",\"path\":\"/a/b\",\"status\":201,\"bytesIn\":12,"
		"\"bytesOut\":34,\"holdMs\":500,\"woke\":true,\"firstByteMs\":600,\"endMs\":700,"
		"\"trace\":\"0af7651916cd43dd8448eb211c80319c\"}\n");
}

static void test_a_refusal_says_why(void **unused)
{
	struct http_head head = head_of("GET", "/");
	struct request_record r;
	const char *line;

	(void)unused;
	record_begin(&r, &head, 1, WALL, 1000);
	record_refuse(&r, REFUSAL_NO_LISTENER, "nothing listens on port 8080");
	line = line_of(&r, 1001);
	assert_non_null(strstr(line, "\"status\":502,"));
	assert_non_null(strstr(line, "\"refusal\":\"no-listener\""));
	assert_non_null(strstr(line, "\"reason\":\"nothing listens on port 8080\""));
	assert_null(strstr(line, "cut"));
	assert_null(strstr(line, "holdMs"));
}

static void test_an_answer_that_is_cut_keeps_its_status(void **unused)
{
	struct http_head head = head_of("GET", "/");
	struct request_record r;
	const char *line;

	(void)unused;
	record_begin(&r, &head, 1, WALL, 1000);
	record_answer(&r, 200, 1010);
	record_refuse(&r, REFUSAL_GONE, "the microVM was suspended or ended meanwhile");
	line = line_of(&r, 1020);
	assert_non_null(strstr(line, "\"status\":200,"));
	assert_non_null(strstr(line, "\"cut\":true"));
}

/* A path can have any byte, and neither a quote nor a line break may end the line. */
static void test_a_line_is_one_line_of_json_whatever_the_path(void **unused)
{
	struct http_head head = head_of("GET", "/\"\\\x01\n\x7f\xff");
	struct request_record r;
	char path[5000] = "/";
	const char *line;

	(void)unused;
	record_begin(&r, &head, 1, WALL, 1000);
	line = line_of(&r, 1001);
	assert_non_null(strstr(line, "\"path\":\"/\\\"\\\\\\u0001\\u000a\\u007f\\u00ff\""));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);

	memset(path + 1, 'x', sizeof(path) - 2);
	head.target = path;
	record_begin(&r, &head, 1, WALL, 1000);
	assert_true(strlen(line_of(&r, 1001)) < 2000);
}

static void test_no_secret_is_in_a_line(void **unused)
{
	static const char *const targets[] = { "/?SECRET", "/a?b=SECRET?c", "/a?SECRET#x" };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		struct http_head head = head_of("GET", targets[i]);
		struct request_record r;

		record_begin(&r, &head, 1, WALL, 1000);
		assert_null(strstr(line_of(&r, 1001), "SECRET"));
	}
}

static void test_meters_count_what_the_record_tells(void **unused)
{
	struct http_head head = head_of("GET", "/");
	struct request_record r;
	struct meter m = { 0 }, twice = { 0 };

	(void)unused;
	record_begin(&r, &head, 1, WALL, 1000);
	record_hold(&r, true, 1000);
	record_sent(&r, 1030);
	r.in = 5;
	r.out = 7;
	record_answer(&r, 204, 1100);
	meters_count(&m, &r, 1200);
	record_free(&r);
	assert_int_equal(m.requests[2], 1);
	assert_int_equal(m.in + m.out, 12);
	assert_int_equal(m.held, 1);
	assert_int_equal(m.wakes, 1);
	assert_int_equal(m.hold[meter_bucket(30)], 1);
	assert_int_equal(m.hold_ms, 30);
	assert_int_equal(m.first[meter_bucket(100)], 1);
	assert_int_equal(m.first_ms, 100);

	record_begin(&r, &head, 1, WALL, 1000);
	record_refuse(&r, REFUSAL_BROKEN, "x");
	meters_count(&m, &r, 1200);
	record_free(&r);
	assert_int_equal(m.refusals[REFUSAL_BROKEN], 1);
	assert_int_equal(m.requests[5], 1);
	assert_int_equal(m.held, 1);

	meter_add(&twice, &m);
	meter_add(&twice, &m);
	assert_int_equal(twice.first_ms, 200);
	assert_int_equal(twice.requests[5], 2);
}

static void test_every_status_and_time_has_its_place(void **unused)
{
	(void)unused;
	assert_int_equal(meter_class(0), 0);
	assert_int_equal(meter_class(101), 1);
	assert_int_equal(meter_class(599), 5);
	assert_int_equal(meter_class(999), 0);
	assert_int_equal(meter_bucket(-5), 0);
	assert_int_equal(meter_bucket(1), 0);
	assert_int_equal(meter_bucket(2), 1);
	assert_int_equal(meter_bucket(60000), METER_BUCKETS - 2);
	assert_int_equal(meter_bucket(INT64_MAX), METER_BUCKETS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_says_all_that_happened),
		cmocka_unit_test(test_a_refusal_says_why),
		cmocka_unit_test(test_an_answer_that_is_cut_keeps_its_status),
		cmocka_unit_test(test_a_line_is_one_line_of_json_whatever_the_path),
		cmocka_unit_test(test_no_secret_is_in_a_line),
		cmocka_unit_test(test_meters_count_what_the_record_tells),
		cmocka_unit_test(test_every_status_and_time_has_its_place),
	};

	return cmocka_run_group_tests_name("proxy/record", tests, NULL, NULL);
}
