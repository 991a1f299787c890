/* Agent frames: what is encoded is found again, and nothing else is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "wire/agent.h"

static void test_a_frame_comes_back_as_it_was_put(void **unused)
{
	autobuf struct buf b = { 0 };
	struct agent_frame f;
	uint64_t id = 0;
	char name[16];
	size_t used = 0, mark = agent_begin(&b, AGENT_HOOK);

	(void)unused;
	agent_put_u64(&b, FIELD_ID, 1ULL << 40);
	agent_put_text(&b, FIELD_NAME, "suspend");
	agent_end(&b, mark);

	assert_int_equal(agent_frame_next(b.data, b.size, LIMIT_AGENT_TO_GUEST, &f, &used), 1);
	assert_int_equal(used, b.size);
	assert_int_equal(f.type, AGENT_HOOK);
	assert_true(agent_get_u64(&f, FIELD_ID, &id));
	assert_true(id == 1ULL << 40);
	assert_true(agent_get_text(&f, FIELD_NAME, name, sizeof(name)));
	assert_string_equal(name, "suspend");
}

static void test_half_a_frame_asks_for_more(void **unused)
{
	autobuf struct buf b = { 0 };
	struct agent_frame f;
	size_t used, mark = agent_begin(&b, AGENT_LOG);

	(void)unused;
	agent_put_text(&b, FIELD_BYTES, "hello");
	agent_end(&b, mark);
	for (size_t n = 0; n < b.size; n++)
		assert_int_equal(agent_frame_next(b.data, n, LIMIT_AGENT_TO_HOST, &f, &used), 0);
}

static void test_a_frame_over_the_limit_breaks_the_stream(void **unused)
{
	const uint8_t head[8] = { AGENT_LOG, 0, 0, 0, 0, 0, 0, 1 };
	struct agent_frame f;
	size_t used;

	(void)unused;
	assert_int_equal(agent_frame_next(head, sizeof(head), LIMIT_AGENT_TO_HOST, &f, &used), -1);
}

static void test_a_field_that_runs_past_its_frame_is_refused(void **unused)
{
	const uint8_t payload[] = { FIELD_BYTES, 0, 9, 0, 0, 0, 'x' };
	struct agent_frame f = { AGENT_LOG, payload, sizeof(payload) };
	struct agent_field_view v;
	size_t at = 0;

	(void)unused;
	assert_int_equal(agent_field_next(&f, &at, &v), -1);
}

static void test_text_with_a_nul_or_too_long_is_refused(void **unused)
{
	const uint8_t payload[] = { FIELD_NAME, 0, 3, 0, 0, 0, 'a', 0, 'b' };
	struct agent_frame f = { AGENT_HOOK, payload, sizeof(payload) };
	char text[8];

	(void)unused;
	assert_false(agent_get_text(&f, FIELD_NAME, text, sizeof(text)));
	assert_false(agent_get_text(&f, FIELD_NAME, text, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_frame_comes_back_as_it_was_put),
		cmocka_unit_test(test_half_a_frame_asks_for_more),
		cmocka_unit_test(test_a_frame_over_the_limit_breaks_the_stream),
		cmocka_unit_test(test_a_field_that_runs_past_its_frame_is_refused),
		cmocka_unit_test(test_text_with_a_nul_or_too_long_is_refused),
	};

	return cmocka_run_group_tests_name("wire/agent", tests, NULL, NULL);
}
