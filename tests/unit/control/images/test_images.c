/* Images, versions and builds change in the store first, then in memory, then in the world: at
 * every moment the API shows what a restart would find. */

#include "images_rig.h"

static void tag_blue(struct told *t)
{
	tag("blue", t);
}

static void deactivate(struct told *t)
{
	images_set_status(&ctl, version(1), VERSION_INACTIVE, tell, t);
}

static void activate(struct told *t)
{
	images_set_status(&ctl, version(1), VERSION_ACTIVE, tell, t);
}

static void first_built(struct told *t)
{
	(void)t;
	end_build(1, true);
}

static void second_failed(struct told *t)
{
	(void)t;
	end_build(2, false);
}

static void second_removed(struct told *t)
{
	(void)t;
	ctl.builder_events->removed(&ctl, hello()->id, 2);
}

static void first_removed(struct told *t)
{
	(void)t;
	ctl.builder_events->removed(&ctl, hello()->id, 1);
}

/* The life of an image, each step once. */
static const struct {
	void (*run)(struct told *t);
	bool asked; /* by somebody who is answered */
	enum image_state then;
} script[] = {
	{ create, true, IMAGE_CREATING },
	{ first_built, false, IMAGE_CREATED },
	{ tag_blue, true, IMAGE_CREATED },
	{ deactivate, true, IMAGE_CREATED },
	{ activate, true, IMAGE_CREATED },
	{ update, true, IMAGE_UPDATING },
	{ second_failed, false, IMAGE_UPDATE_FAILED },
	{ delete_second, true, IMAGE_UPDATING },
	{ second_removed, false, IMAGE_UPDATED },
	{ delete_image, true, IMAGE_DELETING },
	{ first_removed, false, IMAGE_NEW }, /* gone */
};
#define SCRIPT_COMMITS 13 /* the two builds begin besides */

static void run_script(size_t refused, const struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(script); i++) {
		struct told t = { 0 };
		int calls = script[i].asked;

		script[i].run(&t);
		if (answer_all(&n, refused, e)) {
			if (t.rc) {
				assert_int_equal(t.kind, e->kind);
				assert_string_equal(t.text, e->text);
				script[i].run(&t); /* asked again, as a client does */
				calls++;
			} else {
				assert_true(time_passes());
			}
			assert_false(answer_all(&n, refused, e));
		}
		assert_int_equal(t.rc, 0);
		assert_int_equal(t.calls, calls);
		if (script[i].then)
			assert_int_equal(hello()->state, script[i].then);
	}
	assert_int_equal(n, SCRIPT_COMMITS + (refused < SCRIPT_COMMITS));
	assert_true(list_empty(&ctl.images));
	for (int table = 0; table < STORE_NUM_TABLES; table++)
		if (table != FAKE_LOG_STREAMS) /* the lines of builds outlive them */
			assert_int_equal(fake_store_rows((enum fake_table)table), 0);
	assert_int_equal(fake_store_rows(FAKE_LOG_STREAMS), 2);
}

static void test_an_image_lives_from_its_creation_to_its_end(void **unused)
{
	(void)unused;
	run_script(SIZE_MAX, NULL);
	assert_int_equal(world.sent[BUILD_START], 2);
	assert_int_equal(world.sent[BUILD_REMOVE], 2);
}

static void test_api_store_and_memory_agree_whichever_commit_fails(void **unused)
{
	const struct err *errors[] = { &full, &broken, &busy };

	for (size_t i = 0; i < SCRIPT_COMMITS * ARRAY_SIZE(errors); i++) {
		tear_down(unused);
		set_up(unused);
		run_script(i % SCRIPT_COMMITS, errors[i / SCRIPT_COMMITS]);
	}
}

static void test_an_image_is_seen_once_it_is_durable(void **unused)
{
	struct told t = { 0 };

	(void)unused;
	create(&t);
	assert_null(model_image_by_name(&ctl, "000000000000", "hello"));
	assert_true(images_name_taken(&ctl, "000000000000", "hello"));
	assert_int_equal(images_count(&ctl, "000000000000"), 1);
	answer(&full);
	assert_int_equal(t.rc, -1);
	assert_int_equal(t.calls, 1);
	assert_false(images_name_taken(&ctl, "000000000000", "hello"));
	assert_int_equal(images_count(&ctl, "000000000000"), 0);
	assert_int_equal(world.sent[BUILD_START], 0);
}

static void test_a_change_that_is_refused_undoes_no_other(void **unused)
{
	struct told red = { 0 }, blue = { 0 }, off = { 0 };

	(void)unused;
	create_and_build();
	tag("red", &red);
	tag("blue", &blue);
	deactivate(&off);
	assert_int_equal(fake_store_waiting(), 1); /* one at a time */
	answer(&full);
	assert_int_equal(red.rc, -1);
	assert_int_equal(blue.calls, 0);
	answer(NULL);
	answer(NULL);
	assert_int_equal(blue.rc, 0);
	assert_int_equal(off.rc, 0);
	assert_int_equal(json_object_size(hello()->tags), 1);
	assert_non_null(json_object_get(hello()->tags, "blue"));
	assert_int_equal(version(1)->status, VERSION_INACTIVE);
}

static void test_tags_of_two_requests_are_both_kept(void **unused)
{
	struct told red = { 0 }, blue = { 0 };

	(void)unused;
	create_and_build();
	tag("red", &red);
	tag("blue", &blue);
	answer(NULL);
	answer(NULL);
	assert_int_equal(json_object_size(hello()->tags), 2);
}

static void test_a_second_update_waits_for_the_first_and_is_refused(void **unused)
{
	struct told first = { 0 }, second = { 0 };

	(void)unused;
	create_and_build();
	update(&first);
	update(&second);
	answer(NULL);
	assert_int_equal(first.rc, 0);
	assert_int_equal(second.rc, -1);
	assert_int_equal(second.kind, ERR_INVALID);
	assert_int_equal(hello()->next_version, 3);
}

static void test_both_changes_of_an_image_may_fail(void **unused)
{
	struct told up = { 0 }, red = { 0 };

	(void)unused;
	create_and_build();
	update(&up);
	tag("red", &red);
	answer(&full);
	answer(&full);
	assert_int_equal(up.rc, -1);
	assert_int_equal(red.rc, -1);
	assert_int_equal(hello()->next_version, 2);
	assert_int_equal(hello()->state, IMAGE_CREATED);
}

static void test_requests_do_not_wait_for_a_full_disk(void **unused)
{
	struct told red = { 0 }, blue = { 0 };
	size_t n = 0;

	(void)unused;
	create(&red);
	answer_all(&n, SIZE_MAX, NULL);
	end_build(1, true);
	tag("red", &red);
	answer(&full); /* of the result */
	assert_int_equal(red.rc, -1);
	assert_int_equal(red.kind, ERR_CAPACITY);
	assert_int_equal(fake_store_waiting(), 0);
	tag("blue", &blue); /* there may be room now: the result first */
	answer(NULL);
	assert_int_equal(hello()->state, IMAGE_CREATED);
	answer(NULL);
	assert_int_equal(blue.rc, 0);
}

static void test_nothing_starts_from_what_is_leaving(void **unused)
{
	struct told t = { 0 };

	(void)unused;
	create_and_build();
	assert_ptr_equal(model_active_version(hello()), version(1));
	delete_image(&t);
	assert_null(model_active_version(hello()));
	assert_false(model_runs(version(1)));
	answer(&full);
	assert_int_equal(t.rc, -1);
	assert_true(model_runs(version(1)));
}

static void test_nothing_starts_from_a_version_that_is_leaving(void **unused)
{
	struct told t = { 0 };
	size_t n = 0;

	(void)unused;
	create_and_build();
	update(&t);
	answer_all(&n, SIZE_MAX, NULL);
	end_build(2, true);
	answer_all(&n, SIZE_MAX, NULL);
	assert_ptr_equal(model_active_version(hello()), version(2));
	delete_second(&t);
	assert_ptr_equal(model_active_version(hello()), version(1));
	assert_int_equal(hello()->latest_active, 2);
	answer(&full);
	assert_ptr_equal(model_active_version(hello()), version(2));
	delete_second(&t);
	answer(NULL);
	assert_int_equal(hello()->latest_active, 1);
}

static void test_what_runs_is_not_deleted(void **unused)
{
	struct told t = { 0 };

	(void)unused;
	create_and_build();
	version(1)->n_microvms = 1;
	delete_image(&t);
	assert_int_equal(t.kind, ERR_INVALID);
	assert_string_equal(t.text, "Cannot delete microvm image with running microvms.");
	images_delete_version(&ctl, version(1), tell, &t);
	assert_string_equal(t.text, "This is the last version. Please delete the entire image");
	assert_int_equal(fake_store_waiting(), 0);
}

static void test_deleting_twice_is_fine(void **unused)
{
	struct told first = { 0 }, second = { 0 };

	(void)unused;
	create_and_build();
	delete_image(&first);
	delete_image(&second);
	answer(NULL);
	assert_int_equal(first.calls + second.calls, 2);
	assert_int_equal(first.rc | second.rc, 0);
	assert_int_equal(fake_store_waiting(), 0);
	assert_int_equal(world.sent[BUILD_REMOVE], 1);
}

static void test_who_waits_for_an_image_that_goes_is_told_that_it_is_gone(void **unused)
{
	struct told t = { 0 };
	size_t n = 0;

	(void)unused;
	create_and_build();
	delete_image(&t);
	answer_all(&n, SIZE_MAX, NULL);
	first_removed(&t);
	tag("red", &t);
	fake_store_answer(NULL);
	assert_int_equal(t.rc, -1);
	assert_int_equal(t.kind, ERR_NOT_FOUND);
	assert_true(list_empty(&ctl.images));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_image_lives_from_its_creation_to_its_end),
		TEST(test_api_store_and_memory_agree_whichever_commit_fails),
		TEST(test_an_image_is_seen_once_it_is_durable),
		TEST(test_a_change_that_is_refused_undoes_no_other),
		TEST(test_tags_of_two_requests_are_both_kept),
		TEST(test_a_second_update_waits_for_the_first_and_is_refused),
		TEST(test_both_changes_of_an_image_may_fail),
		TEST(test_requests_do_not_wait_for_a_full_disk),
		TEST(test_nothing_starts_from_what_is_leaving),
		TEST(test_nothing_starts_from_a_version_that_is_leaving),
		TEST(test_what_runs_is_not_deleted),
		TEST(test_deleting_twice_is_fine),
		TEST(test_who_waits_for_an_image_that_goes_is_told_that_it_is_gone),
	};

	return cmocka_run_group_tests_name("images", tests, NULL, NULL);
}
