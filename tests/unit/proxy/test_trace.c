/* Traces: a valid one is passed on as it is, and any other text begins a new one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/trace.h"

#define ID     "0af7651916cd43dd8448eb211c80319c"
#define PARENT "00-" ID "-b7ad6b7169203331-01"

static const uint8_t random_bytes[24] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
					  0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

static struct http_head head_with(const char *first, const char *second)
{
	struct http_head head = { .request = true };

	head.headers[head.n_headers++] = (struct http_header){ "tracestate", "vendor=value" };
	if (first)
		head.headers[head.n_headers++] = (struct http_header){ "traceparent", first };
	if (second)
		head.headers[head.n_headers++] = (struct http_header){ "traceparent", second };
	return head;
}

static const char *sent(const struct http_head *head, struct trace *t, const char *name)
{
	static struct filtered_headers to;
	const char *value = NULL;

	trace_read(head, random_bytes, t);
	memcpy(to.at, head->headers, sizeof(head->headers[0]) * head->n_headers);
	to.n = head->n_headers;
	trace_put(t, &to);
	for (size_t i = 0; i < to.n; i++) {
		if (strcmp(to.at[i].name, name) != 0)
			continue;
		assert_null(value);
		value = to.at[i].value;
	}
	return value;
}

static void test_a_valid_trace_is_passed_on_with_its_state(void **unused)
{
	static const char *const rows[] = {
		PARENT,
		"00-" ID "-b7ad6b7169203331-00",
		"01-" ID "-b7ad6b7169203331-01-what-the-future-brings",
		"01-" ID "-b7ad6b7169203331-01",
	};
	char id[33];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_head head = head_with(rows[i], NULL);
		struct trace t;

		assert_string_equal(sent(&head, &t, "traceparent"), rows[i]);
		assert_string_equal(sent(&head, &t, "tracestate"), "vendor=value");
		trace_id(&t, id);
		assert_string_equal(id, ID);
	}
}

static void test_what_is_no_trace_begins_a_new_one_without_the_state(void **unused)
{
	static const char *const rows[] = {
		NULL,
		"",
		"00",
		"ff-" ID "-b7ad6b7169203331-01",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-" ID "-0000000000000000-01",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
		"00-" ID "-b7ad6b7169203331-01-more",
		"01-" ID "-b7ad6b7169203331-01.more",
		"00-" ID "-b7ad6b7169203331-0",
		"00-" ID "-b7ad6b7169203331-0g",
		"00_" ID "-b7ad6b7169203331-01",
		" " PARENT,
		PARENT " ",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_head head = head_with(rows[i], NULL);
		struct trace t;

		assert_string_equal(sent(&head, &t, "traceparent"),
				    "00-01112233445566778899aabbccddeeff-0100000000000000-01");
		assert_null(sent(&head, &t, "tracestate"));
	}
}

static void test_two_traces_are_none(void **unused)
{
	struct http_head head = head_with(PARENT, PARENT);
	struct trace t;

	(void)unused;
	assert_string_not_equal(sent(&head, &t, "traceparent"), PARENT);
	assert_false(t.given);
}

static void test_what_began_is_valid_itself(void **unused)
{
	struct http_head head = head_with(NULL, NULL), again;
	struct trace t, same;

	(void)unused;
	trace_read(&head, random_bytes, &t);
	again = head_with(t.parent, NULL);
	trace_read(&again, random_bytes, &same);
	assert_true(same.given);
	assert_string_equal(same.parent, t.parent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_valid_trace_is_passed_on_with_its_state),
		cmocka_unit_test(test_what_is_no_trace_begins_a_new_one_without_the_state),
		cmocka_unit_test(test_two_traces_are_none),
		cmocka_unit_test(test_what_began_is_valid_itself),
	};

	return cmocka_run_group_tests_name("proxy/trace", tests, NULL, NULL);
}
