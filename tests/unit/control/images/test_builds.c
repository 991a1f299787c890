/* Builds: their results are written until they are durable, and what cannot begin begins later. */

#include "images_rig.h"

static void test_a_result_on_a_full_disk_is_kept_until_it_is_durable(void **unused)
{
	struct told t = { 0 };
	size_t n = 0;

	(void)unused;
	create(&t);
	answer_all(&n, SIZE_MAX, NULL);
	end_build(1, true);
	for (uint64_t pause_ms = 500; pause_ms < 100000; pause_ms *= 2) {
		answer(&full);
		assert_int_equal(world.pause_ms, pause_ms < 30000 ? pause_ms : 30000);
		assert_int_equal(version(1)->state, VERSION_IN_PROGRESS);
		assert_int_equal(hello()->state, IMAGE_CREATING);
		assert_int_equal(world.woken, 0);
		assert_true(time_passes());
	}
	answer(NULL);
	assert_int_equal(version(1)->state, VERSION_SUCCESSFUL);
	assert_int_equal(build(1)->memory_bytes, 7);
	assert_int_equal(world.woken, 1);
	assert_false(time_passes());
	update(&t); /* the next pause is short again */
	answer_all(&n, SIZE_MAX, NULL);
	end_build(2, true);
	answer(&full);
	assert_int_equal(world.pause_ms, 500);
}

static void test_a_build_whose_result_was_lost_is_built_again_after_a_restart(void **unused)
{
	struct told t = { 0 };
	size_t n = 0;

	(void)unused;
	create(&t);
	answer_all(&n, SIZE_MAX, NULL);
	end_build(1, true);
	answer(&full);
	end();
	begin();
	assert_int_equal(world.sent[BUILD_START], 1);
	end_build(1, true);
	answer(NULL);
	assert_int_equal(hello()->state, IMAGE_CREATED);
}

static void test_a_build_that_finds_no_memory_is_sent_later(void **unused)
{
	struct told t = { 0 };
	size_t n = 0;

	(void)unused;
	world.no_memfd = true;
	create(&t);
	answer_all(&n, SIZE_MAX, NULL);
	assert_int_equal(world.sent[BUILD_START], 0);
	assert_true(time_passes());
	assert_int_equal(world.sent[BUILD_START], 0);
	world.no_memfd = false;
	assert_true(time_passes());
	assert_int_equal(world.sent[BUILD_START], 1);
	assert_false(time_passes());
}

static void test_a_build_that_is_cancelled_before_it_begins_is_never_sent(void **unused)
{
	struct told t = { 0 };

	(void)unused;
	create(&t);
	answer(NULL);
	builds_cancel(&ctl, build(1), tell, &t); /* while IN_PROGRESS is on its way */
	answer(NULL);
	assert_int_equal(t.calls, 1);
	answer(NULL);
	assert_int_equal(t.calls, 2);
	assert_int_equal(world.sent[BUILD_START], 0);
	assert_int_equal(hello()->state, IMAGE_CREATE_FAILED);
	assert_string_equal(build(1)->code, "CANCELLED");
}

static void test_a_cancel_that_cannot_be_written_lets_the_build_go_on(void **unused)
{
	struct told t = { 0 };

	(void)unused;
	create(&t);
	answer(NULL);
	builds_cancel(&ctl, build(1), tell, &t);
	answer(NULL);
	answer(&full);
	assert_int_equal(t.rc, -1);
	assert_int_equal(t.kind, ERR_CAPACITY);
	assert_int_equal(build(1)->state, BUILD_IN_PROGRESS);
	assert_int_equal(world.sent[BUILD_START], 1);
}

static void test_a_cancel_behind_a_beginning_that_cannot_be_written_is_refused(void **unused)
{
	struct told t = { 0 };

	(void)unused;
	create(&t);
	answer(NULL);
	builds_cancel(&ctl, build(1), tell, &t);
	answer(&full);
	assert_int_equal(t.calls, 2);
	assert_int_equal(t.rc, -1);
	assert_int_equal(build(1)->state, BUILD_PENDING);
	assert_true(time_passes());
	answer(NULL);
	assert_int_equal(world.sent[BUILD_START], 1);
}

static void test_a_build_whose_builder_is_away_can_be_cancelled(void **unused)
{
	struct told t = { 0 };
	size_t n = 0;

	(void)unused;
	create(&t);
	answer_all(&n, SIZE_MAX, NULL);
	ctl.image_role.open = false;
	builds_cancel(&ctl, build(1), tell, &t);
	ctl.image_role.open = true;
	ctl.builder_events->up(&ctl);
	answer(NULL);
	assert_int_equal(world.sent[BUILD_START], 1);
	assert_int_equal(hello()->state, IMAGE_CREATE_FAILED);
}

static void test_a_builder_that_comes_back_is_sent_what_it_has_not_finished(void **unused)
{
	struct told t = { 0 };
	size_t n = 0;

	(void)unused;
	ctl.image_role.open = false;
	create(&t);
	answer_all(&n, SIZE_MAX, NULL);
	assert_int_equal(build(1)->state, BUILD_PENDING);
	ctl.image_role.open = true;
	ctl.builder_events->up(&ctl);
	answer_all(&n, SIZE_MAX, NULL);
	assert_int_equal(world.sent[BUILD_START], 1);
	ctl.builder_events->up(&ctl);
	assert_int_equal(world.sent[BUILD_START], 2);
	assert_int_equal(fake_store_waiting(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_result_on_a_full_disk_is_kept_until_it_is_durable),
		TEST(test_a_build_whose_result_was_lost_is_built_again_after_a_restart),
		TEST(test_a_build_that_finds_no_memory_is_sent_later),
		TEST(test_a_build_that_is_cancelled_before_it_begins_is_never_sent),
		TEST(test_a_cancel_that_cannot_be_written_lets_the_build_go_on),
		TEST(test_a_cancel_behind_a_beginning_that_cannot_be_written_is_refused),
		TEST(test_a_build_whose_builder_is_away_can_be_cancelled),
		TEST(test_a_builder_that_comes_back_is_sent_what_it_has_not_finished),
	};

	return cmocka_run_group_tests_name("builds", tests, NULL, NULL);
}
