/* Images, versions and builds change in the store first, then in memory, then in the world: at
 * every moment the API shows what a restart would find. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../fake_store.h"
#include "control/api/encode.h"
#include "control/channels/builder.h"
#include "control/images/builds.h"
#include "control/images/images.h"
#include "control/microvm/lifecycle.h"
#include "control/pool/pool.h"

/* The world: what the image role was sent, timers that run when they are told to, a host that has
 * no memory when it is told to have none. */
static struct {
	unsigned sent[BUILD_NUM_TYPES], woken;
	uv_timer_t *timers[4];
	uv_timer_cb due[4];
	bool no_memfd;
} world;

static struct conf conf;
static struct control ctl;

void chan_uv_send(struct chan_uv *c, uint32_t type, uint64_t tag, const void *body, size_t size,
		  const int *fds, unsigned n_fds)
{
	(void)c;
	(void)tag;
	(void)body;
	(void)size;
	(void)fds;
	(void)n_fds;
	world.sent[type]++;
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
	(void)loop;
	for (size_t i = 0; i < ARRAY_SIZE(world.timers); i++)
		if (!world.timers[i]) {
			world.timers[i] = timer;
			return 0;
		}
	abort();
}

static size_t timer_slot(const void *timer)
{
	for (size_t i = 0; i < ARRAY_SIZE(world.timers); i++)
		if (world.timers[i] == timer)
			return i;
	abort();
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	assert_in_range(timeout, 1, 30000);
	assert_int_equal(repeat, 0);
	world.due[timer_slot(timer)] = cb;
	return 0;
}

int uv_timer_stop(uv_timer_t *timer)
{
	world.due[timer_slot(timer)] = NULL;
	return 0;
}

int uv_is_active(const uv_handle_t *timer)
{
	return world.due[timer_slot(timer)] != NULL;
}

static bool time_passes(void)
{
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(world.due); i++) {
		uv_timer_cb cb = world.due[i];

		world.due[i] = NULL;
		if (cb)
			cb(world.timers[i]);
		any |= cb != NULL;
	}
	return any;
}

int memfd_create(const char *name, unsigned flags)
{
	(void)name;
	(void)flags;
	return world.no_memfd ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);
}

int io_pwrite_full(int fd, const void *data, size_t size, int64_t at)
{
	(void)fd;
	(void)data;
	(void)size;
	(void)at;
	return 0;
}

void pool_wake(struct control *c)
{
	(void)c;
	world.woken++;
}

void pool_forget(struct image_version *v)
{
	(void)v;
}

void lifecycle_delete_ended(struct control *c, const struct image_version *v, struct store_txn *t)
{
	(void)c;
	(void)v;
	(void)t;
}

void lifecycle_forget_ended(struct control *c, const struct image_version *v)
{
	(void)c;
	(void)v;
}

static void no_token(struct control *c, const struct store_token *row)
{
	(void)c;
	(void)row;
}

/* What the API shows of everything. */
static char *view(struct control *c)
{
	json_t *all = json_array();
	char *text;

	list_each(image, &c->images, struct image, in_control)
	{
		json_array_append_new(all, encode_image(c, image, false));
		list_each(v, &image->versions, struct image_version, in_image)
		{
			json_array_append_new(all, encode_version(c, v));
			list_each(b, &v->builds, struct build, in_version)
				json_array_append_new(all, encode_build(c, b, false));
		}
	}
	text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(all);
	return text;
}

static void free_model(struct control *c)
{
	list_each(image, &c->images, struct image, in_control) model_image_free(c, image);
	hash_free(&c->images_by_id);
	hash_free(&c->images_by_name);
}

static void load(struct control *c)
{
	struct err e;

	*c = (struct control){ .conf = &conf };
	model_init(c);
	assert_int_equal(model_load(c, no_token, &e), 0);
}

/* The API's view, the store's rows and memory are one; so they are after a restart. */
static void agree(void)
{
	struct control after;
	char *now, *then;

	load(&after);
	now = view(&ctl);
	then = view(&after);
	assert_string_equal(now, then);
	free(now);
	free(then);
	free_model(&after);
}

static void end(void)
{
	images_close(&ctl);
	free_model(&ctl);
}

static void begin(void)
{
	memset(&world, 0, sizeof(world));
	load(&ctl);
	ctl.image_role.open = true;
	images_open(&ctl);
	ctl.builder_events->up(&ctl);
}

static int set_up(void **unused)
{
	(void)unused;
	fake_store_clear();
	begin();
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	end();
	fake_store_clear();
	return 0;
}

struct told {
	int calls, rc;
	enum err_kind kind;
	char text[128];
};

static void tell(void *arg, int rc, const struct err *e)
{
	struct told *t = arg;

	t->calls++;
	t->rc = rc;
	if (!rc)
		return;
	t->kind = e->kind;
	snprintf(t->text, sizeof(t->text), "%.100s", e->text);
}

static const struct err full = { ERR_CAPACITY, "The disk is full." };
static const struct err broken = { ERR_INTERNAL, "The disk has an error." };
static const struct err busy = { ERR_INTERNAL, "The database is locked." };

static struct store_txn *no_draft(void *arg, const struct image *image,
				  const struct image_version *v)
{
	(void)arg;
	assert_int_equal(image->state, v->number == 1 ? IMAGE_CREATING : IMAGE_UPDATING);
	assert_int_equal(v->state, VERSION_PENDING);
	return NULL;
}

static json_t *params(void)
{
	return json_pack("{s:{s:s}}", "codeArtifact", "uri", "s3://bucket/key");
}

static void create(struct told *t)
{
	images_create(&ctl, "hello", NULL, params(), &(struct images_asker){ no_draft, tell, t });
}

static struct image *hello(void)
{
	struct image *image = model_image_by_name(&ctl, "hello");

	if (!image)
		abort();
	return image;
}

static struct image_version *version(int64_t number)
{
	struct image_version *v = model_version(hello(), number);

	if (!v)
		abort();
	return v;
}

static struct build *build(int64_t number)
{
	struct build *b = list_first(&version(number)->builds, struct build, in_version);

	if (!b)
		abort();
	return b;
}

static void update(struct told *t)
{
	images_update(&ctl, hello(), IMAGE_EV_UPDATE, params(),
		      &(struct images_asker){ no_draft, tell, t });
}

static void add_tag(json_t *tags, const json_t *by)
{
	json_object_set_new(tags, json_string_value(by), json_string("yes"));
}

static void tag(const char *name, struct told *t)
{
	json_t *by = json_string(name);

	images_set_tags(&ctl, hello(), add_tag, by, tell, t);
	json_decref(by);
}

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

static void delete_second(struct told *t)
{
	images_delete_version(&ctl, version(2), tell, t);
}

static void delete_image(struct told *t)
{
	images_delete(&ctl, hello(), tell, t);
}

static void end_build(int64_t number, bool ok)
{
	struct build_done done = { .ok = ok, .memory_mib = 2048, .vcpus = 1, .memory_bytes = 7 };

	if (!ok)
		strcpy(done.code, "CONTAINER_BUILD_FAILED");
	memcpy(done.name.build, build(number)->id, UUID_SIZE);
	ctl.builder_events->done(&ctl, &done);
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

/* Answer what waits, the commit number @refused with @e; false: that one did not come. */
static bool answer_all(size_t *n, size_t refused, const struct err *e)
{
	bool was_refused = false;

	while (fake_store_waiting()) {
		bool this_one = (*n)++ == refused;

		agree(); /* nothing is true before the store has it */
		fake_store_answer(this_one ? e : NULL);
		agree();
		was_refused |= this_one;
	}
	return was_refused;
}

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
	for (enum fake_table table = 0; table < FAKE_NUM; table++)
		assert_int_equal(fake_store_rows(table), 0);
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

static void answer(const struct err *e)
{
	fake_store_answer(e);
	agree();
}

static void create_and_build(void)
{
	struct told t = { 0 };
	size_t n = 0;

	create(&t);
	answer_all(&n, SIZE_MAX, NULL);
	end_build(1, true);
	answer_all(&n, SIZE_MAX, NULL);
	assert_int_equal(hello()->state, IMAGE_CREATED);
}

static void test_an_image_is_seen_once_it_is_durable(void **unused)
{
	struct told t = { 0 };

	(void)unused;
	create(&t);
	assert_null(model_image_by_name(&ctl, "hello"));
	assert_true(images_name_taken(&ctl, "hello"));
	assert_int_equal(images_count(&ctl), 1);
	answer(&full);
	assert_int_equal(t.rc, -1);
	assert_int_equal(t.calls, 1);
	assert_false(images_name_taken(&ctl, "hello"));
	assert_int_equal(images_count(&ctl), 0);
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

static void test_a_result_on_a_full_disk_is_kept_until_it_is_durable(void **unused)
{
	struct told t = { 0 };
	size_t n = 0;

	(void)unused;
	create(&t);
	answer_all(&n, SIZE_MAX, NULL);
	end_build(1, true);
	for (int i = 0; i < 3; i++) {
		answer(&full);
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
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_an_image_lives_from_its_creation_to_its_end),
		TEST(test_api_store_and_memory_agree_whichever_commit_fails),
		TEST(test_an_image_is_seen_once_it_is_durable),
		TEST(test_a_change_that_is_refused_undoes_no_other),
		TEST(test_tags_of_two_requests_are_both_kept),
		TEST(test_a_second_update_waits_for_the_first_and_is_refused),
		TEST(test_both_changes_of_an_image_may_fail),
		TEST(test_a_result_on_a_full_disk_is_kept_until_it_is_durable),
		TEST(test_a_build_whose_result_was_lost_is_built_again_after_a_restart),
		TEST(test_requests_do_not_wait_for_a_full_disk),
		TEST(test_nothing_starts_from_what_is_leaving),
		TEST(test_nothing_starts_from_a_version_that_is_leaving),
		TEST(test_what_runs_is_not_deleted),
		TEST(test_deleting_twice_is_fine),
		TEST(test_who_waits_for_an_image_that_goes_is_told_that_it_is_gone),
		TEST(test_a_build_that_finds_no_memory_is_sent_later),
		TEST(test_a_build_that_is_cancelled_before_it_begins_is_never_sent),
		TEST(test_a_cancel_that_cannot_be_written_lets_the_build_go_on),
		TEST(test_a_cancel_behind_a_beginning_that_cannot_be_written_is_refused),
		TEST(test_a_build_whose_builder_is_away_can_be_cancelled),
		TEST(test_a_builder_that_comes_back_is_sent_what_it_has_not_finished),
	};

	conf_defaults(&conf, "");
	return cmocka_run_group_tests_name("images", tests, NULL, NULL);
}
