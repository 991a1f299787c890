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

static void test_a_build_that_runs_is_cancelled_in_the_store_before_the_builder_hears(void **unused)
{
	struct told t = { 0 };
	size_t n = 0;

	(void)unused;
	create(&t);
	answer_all(&n, SIZE_MAX, NULL);
	t.calls = 0;
	builds_cancel(&ctl, build(1), tell, &t);
	assert_int_equal(world.sent[BUILD_CANCEL], 0);
	assert_int_equal(t.calls, 0);
	answer(NULL);
	assert_int_equal(t.calls, 1);
	assert_int_equal(t.rc, 0);
	assert_int_equal(world.sent[BUILD_CANCEL], 1);
	assert_int_equal(version(1)->state, VERSION_FAILED);
	assert_string_equal(build(1)->reason, "The build was cancelled.");
	end_build(1, false); /* the image role's last word changes nothing */
	assert_int_equal(fake_store_waiting(), 0);
	assert_string_equal(build(1)->code, "CANCELLED");
	/* It is not built again, whoever is restarted. */
	ctl.builder_events->up(&ctl);
	end();
	begin();
	assert_int_equal(world.sent[BUILD_START], 0);
}

static void test_of_a_cancel_and_a_result_the_first_one_wins(void **unused)
{
	struct told t = { 0 };
	size_t n = 0;

	(void)unused;
	for (int64_t i = 1; i <= 2; i++) {
		i == 1 ? create(&t) : update(&t);
		answer_all(&n, SIZE_MAX, NULL);
		t.calls = 0;
		if (i == 1)
			builds_cancel(&ctl, build(i), tell, &t);
		end_build(i, true);
		if (i == 2)
			builds_cancel(&ctl, build(i), tell, &t);
		answer_all(&n, SIZE_MAX, NULL);
		assert_int_equal(t.calls, 1);
		assert_int_equal(t.rc, 0);
		assert_int_equal(version(i)->state, i == 1 ? VERSION_FAILED : VERSION_SUCCESSFUL);
		/* The loser's files go. */
		assert_int_equal(world.sent[BUILD_REMOVE], 1);
	}
	assert_int_equal(hello()->latest_active, 2);
}

static void test_files_of_a_version_that_was_cancelled_too_late_are_removed(void **unused)
{
	struct build_version name = { .version = 1 };
	struct told t = { 0 };
	size_t n = 0;

	(void)unused;
	create(&t);
	answer_all(&n, SIZE_MAX, NULL);
	builds_cancel(&ctl, build(1), tell, &t);
	answer(NULL);
	end_build(1, true); /* it was on its way */
	assert_int_equal(world.sent[BUILD_REMOVE], 1);
	ctl.builder_events->removed(&ctl, hello()->id, name.version);
	assert_int_equal(fake_store_waiting(), 0); /* its row stays */
	assert_int_equal(version(1)->state, VERSION_FAILED);
	ctl.builder_events->up(&ctl); /* it may have been lost with the image role */
	assert_int_equal(world.sent[BUILD_REMOVE], 2);
}

static void test_on_a_full_disk_a_running_build_is_stopped_and_its_end_written_later(void **unused)
{
	struct told t = { 0 };
	size_t n = 0;

	(void)unused;
	create(&t);
	answer_all(&n, SIZE_MAX, NULL);
	builds_cancel(&ctl, build(1), tell, &t);
	answer(&full);
	assert_int_equal(t.rc, 0);
	assert_int_equal(world.sent[BUILD_CANCEL], 1);
	assert_int_equal(build(1)->state, BUILD_IN_PROGRESS);
	end_build(1, false);
	answer(&full);
	assert_true(time_passes());
	answer(NULL);
	assert_int_equal(version(1)->state, VERSION_FAILED);
}

static void test_a_cancel_that_cannot_be_written_loses_against_the_result(void **unused)
{
	struct told t = { 0 };
	size_t n = 0;

	(void)unused;
	create(&t);
	answer_all(&n, SIZE_MAX, NULL);
	builds_cancel(&ctl, build(1), tell, &t);
	end_build(1, true); /* while the cancel is being written */
	answer(&full);
	while (fake_store_waiting() || time_passes())
		if (fake_store_waiting())
			answer(NULL);
	assert_int_equal(version(1)->state, VERSION_SUCCESSFUL);
	assert_int_equal(world.sent[BUILD_REMOVE], 0);
}

static void test_a_cancel_frees_the_slot_at_once(void **unused)
{
	struct told t = { 0 };
	size_t n = 0;

	(void)unused;
	for (int i = 0; i < (int)ctl.conf->build_at_once + 1; i++) {
		autofree char *name = xasprintf("image-%d", i);

		create_named(name, &t);
		answer_all(&n, SIZE_MAX, NULL);
	}
	assert_int_equal(world.sent[BUILD_START], ctl.conf->build_at_once);
	list_each(v, &model_image_by_name(&ctl, "000000000000", "image-0")->versions,
		  struct image_version, in_image)
	{
		list_each(b, &v->builds, struct build, in_version) builds_cancel(&ctl, b, tell, &t);
	}
	answer_all(&n, SIZE_MAX, NULL);
	assert_int_equal(world.sent[BUILD_START], ctl.conf->build_at_once + 1);
}

static void test_a_version_may_go_while_its_cancelled_build_is_still_being_cleared(void **unused)
{
	struct told t = { 0 };
	struct build_done done = { .ok = 1 };
	size_t n = 0;

	(void)unused;
	create_and_build();
	update(&t);
	answer_all(&n, SIZE_MAX, NULL);
	memcpy(done.name.build, build(2)->id, UUID_SIZE);
	builds_cancel(&ctl, build(2), tell, &t);
	answer(NULL);
	delete_second(&t);
	answer_all(&n, SIZE_MAX, NULL);
	ctl.builder_events->removed(&ctl, hello()->id, 2);
	answer_all(&n, SIZE_MAX, NULL);
	assert_null(model_version(hello(), 2));
	ctl.builder_events->done(&ctl, &done); /* nobody knows it any more */
	assert_int_equal(fake_store_waiting(), 0);
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
		TEST(test_a_build_that_runs_is_cancelled_in_the_store_before_the_builder_hears),
		TEST(test_of_a_cancel_and_a_result_the_first_one_wins),
		TEST(test_files_of_a_version_that_was_cancelled_too_late_are_removed),
		TEST(test_on_a_full_disk_a_running_build_is_stopped_and_its_end_written_later),
		TEST(test_a_cancel_that_cannot_be_written_loses_against_the_result),
		TEST(test_a_cancel_frees_the_slot_at_once),
		TEST(test_a_version_may_go_while_its_cancelled_build_is_still_being_cleared),
		TEST(test_a_builder_that_comes_back_is_sent_what_it_has_not_finished),
	};

	return cmocka_run_group_tests_name("builds", tests, NULL, NULL);
}
