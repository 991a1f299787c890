/* The agent's stream: whole frames to whoever owns the machine, whole frames to the guest. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "machine/agent.h"
#include "wire/agent.h"

struct fixture {
	struct agent agent;
	bool owner;
	struct buf got;
	int faults, moves;
};

static bool fixture_deliver(struct agent *a, const uint8_t *frames, size_t size)
{
	struct fixture *f = container_of(a, struct fixture, agent);

	if (f->owner)
		buf_add(&f->got, frames, size);
	return f->owner;
}

static void fixture_fault(struct agent *a)
{
	container_of(a, struct fixture, agent)->faults++;
}

static void fixture_moved(struct agent *a)
{
	container_of(a, struct fixture, agent)->moves++;
}

static void fixture_open(struct fixture *f)
{
	*f = (struct fixture){ .owner = true,
			       .agent = { .open = true,
					  .deliver = fixture_deliver,
					  .fault = fixture_fault,
					  .moved = fixture_moved } };
}

static void fixture_close(struct fixture *f)
{
	agent_free(&f->agent);
	buf_free(&f->got);
}

static void make_frame(struct buf *b, size_t size)
{
	size_t mark = agent_begin(b, AGENT_LOG);
	autofree uint8_t *bytes = xcalloc(1, size);

	agent_put(b, FIELD_BYTES, bytes, size);
	agent_end(b, mark);
}

static void test_an_owner_gets_whole_frames_only(void **unused)
{
	autobuf struct buf frames = { 0 };
	struct fixture f;
	size_t one;

	(void)unused;
	fixture_open(&f);
	make_frame(&frames, 100);
	one = frames.size;
	make_frame(&frames, 200);
	agent_give(&f.agent, frames.data, one + 5);
	assert_int_equal(f.got.size, one);
	agent_give(&f.agent, frames.data + one + 5, frames.size - one - 5);
	assert_int_equal(f.got.size, frames.size);
	assert_memory_equal(f.got.data, frames.data, frames.size);
	fixture_close(&f);
}

static void test_without_an_owner_a_bounded_number_of_bytes_waits(void **unused)
{
	autobuf struct buf frame = { 0 };
	struct fixture f;
	size_t sent = 0;

	(void)unused;
	fixture_open(&f);
	f.owner = false;
	make_frame(&frame, 10000);
	while (agent_room(&f.agent) >= frame.size) {
		agent_give(&f.agent, frame.data, frame.size);
		sent += frame.size;
	}
	assert_in_range(sent, LIMIT_AGENT_HELD - frame.size, LIMIT_AGENT_HELD);
	assert_int_equal(f.got.size, 0);
	f.owner = true;
	f.moves = 0;
	agent_kick(&f.agent);
	assert_int_equal(f.got.size, sent);
	assert_int_equal(agent_room(&f.agent), LIMIT_AGENT_HELD);
	assert_int_equal(f.moves, 1); /* the guest's port is told of the room */
	fixture_close(&f);
}

static void test_the_guest_never_gets_half_a_frame_of_an_owner_that_left(void **unused)
{
	autobuf struct buf frame = { 0 };
	struct fixture f;
	struct err e;

	(void)unused;
	fixture_open(&f);
	make_frame(&frame, 500);
	assert_int_equal(agent_put_bytes(&f.agent, frame.data, 300, &e), 0);
	agent_owner_left(&f.agent);
	assert_int_equal(f.agent.to_guest.size, 0);
	assert_int_equal(agent_put_bytes(&f.agent, frame.data, 300, &e), 0);
	assert_int_equal(agent_put_bytes(&f.agent, frame.data + 300, frame.size - 300, &e), 0);
	assert_int_equal(f.agent.to_guest.size, frame.size);
	assert_memory_equal(f.agent.to_guest.data, frame.data, frame.size);
	fixture_close(&f);
}

static void test_a_guest_that_does_not_read_is_an_error_in_the_end(void **unused)
{
	autobuf struct buf frame = { 0 };
	struct fixture f;
	struct err e = { 0 };
	int rc = 0;

	(void)unused;
	fixture_open(&f);
	make_frame(&frame, 500000);
	for (int i = 0; i < 20 && !rc; i++)
		rc = agent_put_bytes(&f.agent, frame.data, frame.size, &e);
	assert_int_equal(rc, -1);
	assert_int_equal(e.kind, ERR_CAPACITY);
	assert_true(f.agent.to_guest.size > 0);
	fixture_close(&f);
}

static void test_a_frame_that_a_save_cut_is_whole_after_the_restore(void **unused)
{
	autobuf struct buf frame = { 0 };
	struct fixture f;

	(void)unused;
	make_frame(&frame, 700);
	fixture_open(&f);
	f.agent.open = false;
	agent_preset(&f.agent, frame.data, 300);
	f.agent.open = true;
	agent_give(&f.agent, frame.data + 300, frame.size - 300);
	assert_int_equal(f.got.size, frame.size);
	assert_memory_equal(f.got.data, frame.data, frame.size);
	fixture_close(&f);
}

static void test_a_stream_that_is_no_frames_is_told_once(void **unused)
{
	static const uint8_t garbage[32] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct fixture f;

	(void)unused;
	fixture_open(&f);
	agent_give(&f.agent, garbage, sizeof(garbage));
	assert_int_equal(agent_room(&f.agent), 0);
	agent_kick(&f.agent);
	assert_int_equal(f.faults, 1);
	assert_int_equal(f.got.size, 0);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_owner_gets_whole_frames_only),
		cmocka_unit_test(test_without_an_owner_a_bounded_number_of_bytes_waits),
		cmocka_unit_test(test_the_guest_never_gets_half_a_frame_of_an_owner_that_left),
		cmocka_unit_test(test_a_guest_that_does_not_read_is_an_error_in_the_end),
		cmocka_unit_test(test_a_frame_that_a_save_cut_is_whole_after_the_restore),
		cmocka_unit_test(test_a_stream_that_is_no_frames_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
