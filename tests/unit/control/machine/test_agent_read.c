/* What a guest says, and a guest that lies. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "control/machine/agent_read.h"
#include "wire/agent.h"

static struct {
	uint64_t ack, hook, log_bytes, dropped, lease_ms;
	unsigned acks, leases, hooks, status, exits, code;
	enum agent_outcome outcome;
} got;

static void on_ack(void *arg, uint64_t id)
{
	(void)arg;
	got.ack = id;
	got.acks++;
}

static void on_hook(void *arg, uint64_t id, enum agent_outcome outcome, unsigned status)
{
	(void)arg;
	got.hook = id;
	got.hooks++;
	got.outcome = outcome;
	got.status = status;
}

static void on_log(void *arg, const uint8_t *data, size_t size, uint64_t dropped)
{
	(void)arg;
	assert_non_null(data);
	got.log_bytes += size;
	got.dropped += dropped;
}

static void on_exited(void *arg, unsigned code)
{
	(void)arg;
	got.exits++;
	got.code = code;
}

static void on_lease(void *arg, uint64_t lease_ms)
{
	(void)arg;
	got.leases++;
	got.lease_ms = lease_ms;
}

static const struct agent_ops ops = { on_ack, on_hook, on_log, on_exited, on_lease };

static int feed(struct agent_stream *a, const struct buf *b, int64_t now)
{
	return agent_feed(a, b->data, b->size, now, &ops, NULL);
}

static void hook_result(struct buf *b, uint64_t outcome, uint64_t status)
{
	size_t mark = agent_begin(b, AGENT_HOOK_RESULT);

	agent_put_u64(b, FIELD_ID, 9);
	agent_put_u64(b, FIELD_OUTCOME, outcome);
	agent_put_u64(b, FIELD_STATUS, status);
	agent_end(b, mark);
}

static void test_frames_are_heard_in_any_pieces(void **unused)
{
	struct agent_stream a = { 0 };
	struct buf b = { 0 };
	size_t mark = agent_begin(&b, AGENT_ACK);

	(void)unused;
	memset(&got, 0, sizeof(got));
	agent_put_u64(&b, FIELD_ID, 77);
	agent_end(&b, mark);
	hook_result(&b, OUTCOME_STATUS, 200);
	for (size_t i = 0; i < b.size; i++)
		assert_int_equal(agent_feed(&a, b.data + i, 1, 0, &ops, NULL), 0);
	assert_int_equal(got.ack, 77);
	assert_int_equal(got.hook, 9);
	assert_int_equal(got.status, 200);
	buf_free(&b);
	agent_stream_free(&a);
}

static void test_a_lease_without_a_time_asks_for_nothing(void **unused)
{
	struct agent_stream a = { 0 };
	struct buf b = { 0 };
	size_t mark = agent_begin(&b, AGENT_LEASE);

	(void)unused;
	memset(&got, 0, sizeof(got));
	agent_end(&b, mark);
	assert_int_equal(feed(&a, &b, 0), 0);
	assert_int_equal(got.leases, 0);
	mark = agent_begin(&b, AGENT_LEASE);
	agent_put_u64(&b, FIELD_TIMEOUT_MS, UINT64_MAX);
	agent_end(&b, mark);
	assert_int_equal(feed(&a, &b, 0), 0);
	assert_int_equal(got.leases, 1);
	assert_true(got.lease_ms == UINT64_MAX);
	buf_free(&b);
	agent_stream_free(&a);
}

static void test_an_answer_that_makes_no_sense_is_garbage(void **unused)
{
	static const struct {
		uint64_t outcome, status;
	} lies[] = { { OUTCOME_NUM, 200 }, { UINT64_MAX, 0 }, { OUTCOME_STATUS, 70000 } };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct agent_stream a = { 0 };
		struct buf b = { 0 };

		memset(&got, 0, sizeof(got));
		hook_result(&b, lies[i].outcome, lies[i].status);
		assert_int_equal(feed(&a, &b, 0), 0);
		assert_int_equal(got.hooks, 1);
		assert_int_equal(got.outcome, OUTCOME_GARBAGE);
		buf_free(&b);
		agent_stream_free(&a);
	}
}

static void test_frames_to_the_guest_and_unknown_ones_are_ignored(void **unused)
{
	struct agent_stream a = { 0 };
	struct buf b = { 0 };
	const uint8_t types[] = { AGENT_START, AGENT_RESUMED, AGENT_HOOK, AGENT_HELLO, 200 };

	(void)unused;
	memset(&got, 0, sizeof(got));
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		agent_end(&b, agent_begin(&b, types[i]));
	agent_end(&b, agent_begin(&b, AGENT_ACK)); /* without an id */
	assert_int_equal(feed(&a, &b, 0), 0);
	assert_int_equal(got.acks + got.hooks + got.exits, 0);
	buf_free(&b);
	agent_stream_free(&a);
}

static void test_a_stream_that_is_no_frames_is_broken_for_good(void **unused)
{
	const uint8_t junk[16] = { AGENT_LOG, 1, 2, 3, 0xff, 0xff, 0xff, 0xff };
	struct agent_stream a = { 0 };
	struct buf b = { 0 };

	(void)unused;
	memset(&got, 0, sizeof(got));
	assert_int_equal(agent_feed(&a, junk, sizeof(junk), 0, &ops, NULL), -1);
	hook_result(&b, OUTCOME_STATUS, 200);
	assert_int_equal(feed(&a, &b, 0), -1);
	assert_int_equal(got.hooks, 0);
	buf_free(&b);
	agent_stream_free(&a);
}

static void test_a_flood_of_output_is_cut_and_counted(void **unused)
{
	static uint8_t text[8 * KIB];
	struct agent_stream a = { 0 };
	struct buf b = { 0 };
	size_t mark = agent_begin(&b, AGENT_LOG);

	(void)unused;
	memset(&got, 0, sizeof(got));
	agent_put_u64(&b, FIELD_STREAM, 1);
	agent_put(&b, FIELD_BYTES, text, sizeof(text));
	agent_end(&b, mark);
	for (int i = 0; i < 100; i++)
		assert_int_equal(feed(&a, &b, 5000), 0);
	assert_int_equal(got.log_bytes, LIMIT_LOG_RATE);
	assert_int_equal(feed(&a, &b, 6000), 0); /* the next second */
	assert_int_equal(got.log_bytes, LIMIT_LOG_RATE + sizeof(text));
	assert_int_equal(got.dropped, 100 * sizeof(text) - LIMIT_LOG_RATE);
	buf_free(&b);
	agent_stream_free(&a);
}

static void test_an_exit_code_has_eight_bits(void **unused)
{
	struct agent_stream a = { 0 };
	struct buf b = { 0 };
	size_t mark = agent_begin(&b, AGENT_EXIT);

	(void)unused;
	memset(&got, 0, sizeof(got));
	agent_put_u64(&b, FIELD_CODE, UINT64_MAX);
	agent_end(&b, mark);
	assert_int_equal(feed(&a, &b, 0), 0);
	assert_int_equal(got.exits, 1);
	assert_int_equal(got.code, 255);
	buf_free(&b);
	agent_stream_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_are_heard_in_any_pieces),
		cmocka_unit_test(test_a_lease_without_a_time_asks_for_nothing),
		cmocka_unit_test(test_an_answer_that_makes_no_sense_is_garbage),
		cmocka_unit_test(test_frames_to_the_guest_and_unknown_ones_are_ignored),
		cmocka_unit_test(test_a_stream_that_is_no_frames_is_broken_for_good),
		cmocka_unit_test(test_a_flood_of_output_is_cut_and_counted),
		cmocka_unit_test(test_an_exit_code_has_eight_bits),
	};

	return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
