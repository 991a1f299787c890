/* The tables of images: every step that we promise, and no other. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/control.h"
#include "control/images/steps.h"
#include "control/model/model.h"

static struct conf conf;
static struct control ctl = { .conf = &conf };

/* Of the image alone: the version is one that has nothing against it. */
static const struct {
	enum image_state from;
	enum image_event event;
	enum image_state to;
} image_promised[] = {
	{ IMAGE_NEW, IMAGE_EV_CREATE, IMAGE_CREATING },
	{ IMAGE_CREATING, IMAGE_EV_TAG, IMAGE_CREATING },
	{ IMAGE_CREATING, IMAGE_EV_BUILD_BEGINS, IMAGE_CREATING },
	{ IMAGE_CREATING, IMAGE_EV_BUILT, IMAGE_CREATED },
	{ IMAGE_CREATING, IMAGE_EV_BUILD_FAILED, IMAGE_CREATE_FAILED },
	{ IMAGE_UPDATING, IMAGE_EV_TAG, IMAGE_UPDATING },
	{ IMAGE_UPDATING, IMAGE_EV_BUILD_BEGINS, IMAGE_UPDATING },
	{ IMAGE_UPDATING, IMAGE_EV_BUILT, IMAGE_UPDATED },
	{ IMAGE_UPDATING, IMAGE_EV_BUILD_FAILED, IMAGE_UPDATE_FAILED },
	{ IMAGE_UPDATING, IMAGE_EV_VERSION_REMOVED, IMAGE_UPDATED },
	{ IMAGE_DELETING, IMAGE_EV_TAG, IMAGE_DELETING },
	{ IMAGE_DELETING, IMAGE_EV_REMOVED, IMAGE_DELETING },
};

/* Of each of the settled states. */
static const struct {
	enum image_event event;
	enum image_state to; /* IMAGE_NEW: it stays */
} settled_promised[] = {
	{ IMAGE_EV_UPDATE, IMAGE_UPDATING }, { IMAGE_EV_REBUILD, IMAGE_UPDATING },
	{ IMAGE_EV_TAG, IMAGE_NEW },         { IMAGE_EV_ACTIVATE, IMAGE_NEW },
	{ IMAGE_EV_DEACTIVATE, IMAGE_NEW },  { IMAGE_EV_DELETE_VERSION, IMAGE_UPDATING },
	{ IMAGE_EV_DELETE, IMAGE_DELETING },
};

static const enum image_state settled[] = { IMAGE_CREATED, IMAGE_CREATE_FAILED, IMAGE_UPDATED,
					    IMAGE_UPDATE_FAILED };

static const struct {
	enum version_state from;
	enum image_event event;
	enum version_state to;
} version_promised[] = {
	{ VERSION_NEW, IMAGE_EV_CREATE, VERSION_PENDING },
	{ VERSION_NEW, IMAGE_EV_UPDATE, VERSION_PENDING },
	{ VERSION_NEW, IMAGE_EV_REBUILD, VERSION_PENDING },
	{ VERSION_PENDING, IMAGE_EV_DEACTIVATE, VERSION_PENDING },
	{ VERSION_PENDING, IMAGE_EV_BUILD_BEGINS, VERSION_IN_PROGRESS },
	{ VERSION_PENDING, IMAGE_EV_BUILD_FAILED, VERSION_FAILED },
	{ VERSION_IN_PROGRESS, IMAGE_EV_DEACTIVATE, VERSION_IN_PROGRESS },
	{ VERSION_IN_PROGRESS, IMAGE_EV_BUILT, VERSION_SUCCESSFUL },
	{ VERSION_IN_PROGRESS, IMAGE_EV_BUILD_FAILED, VERSION_FAILED },
	{ VERSION_SUCCESSFUL, IMAGE_EV_ACTIVATE, VERSION_SUCCESSFUL },
	{ VERSION_SUCCESSFUL, IMAGE_EV_DEACTIVATE, VERSION_SUCCESSFUL },
	{ VERSION_SUCCESSFUL, IMAGE_EV_DELETE_VERSION, VERSION_DELETING },
	{ VERSION_SUCCESSFUL, IMAGE_EV_REMOVED, VERSION_DELETING },
	{ VERSION_FAILED, IMAGE_EV_DEACTIVATE, VERSION_FAILED },
	{ VERSION_FAILED, IMAGE_EV_DELETE_VERSION, VERSION_DELETING },
	{ VERSION_FAILED, IMAGE_EV_REMOVED, VERSION_DELETING },
	{ VERSION_DELETING, IMAGE_EV_VERSION_REMOVED, VERSION_DELETING },
	{ VERSION_DELETING, IMAGE_EV_REMOVED, VERSION_DELETING },
};

static const struct {
	enum build_state from;
	enum image_event event;
	enum build_state to;
} build_promised[] = {
	{ BUILD_NEW, IMAGE_EV_CREATE, BUILD_PENDING },
	{ BUILD_NEW, IMAGE_EV_UPDATE, BUILD_PENDING },
	{ BUILD_NEW, IMAGE_EV_REBUILD, BUILD_PENDING },
	{ BUILD_PENDING, IMAGE_EV_BUILD_BEGINS, BUILD_IN_PROGRESS },
	{ BUILD_PENDING, IMAGE_EV_BUILD_FAILED, BUILD_FAILED },
	{ BUILD_IN_PROGRESS, IMAGE_EV_BUILT, BUILD_SUCCESSFUL },
	{ BUILD_IN_PROGRESS, IMAGE_EV_BUILD_FAILED, BUILD_FAILED },
};

/* An image in whose every state some event of each kind is legal. */
static enum image_state fitting(enum image_event event)
{
	static const enum image_state fits[IMAGE_NUM_EVENTS] = {
		[IMAGE_EV_CREATE] = IMAGE_NEW,
		[IMAGE_EV_BUILD_BEGINS] = IMAGE_UPDATING,
		[IMAGE_EV_BUILT] = IMAGE_UPDATING,
		[IMAGE_EV_BUILD_FAILED] = IMAGE_UPDATING,
		[IMAGE_EV_VERSION_REMOVED] = IMAGE_UPDATING,
		[IMAGE_EV_REMOVED] = IMAGE_DELETING,
	};

	return fits[event] || event == IMAGE_EV_CREATE ? fits[event] : IMAGE_CREATED;
}

static int next(enum image_event event, struct image *image, struct image_version *v,
		struct build *b, struct image_states *to, struct err *e)
{
	return steps_next(&ctl, event, &(struct image_subject){ image, v, b }, to, e);
}

static void test_promised_steps_of_images_are_taken(void **unused)
{
	struct image image = { .name = (char[]){ "hello" } };
	struct image_states to;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(image_promised); i++) {
		image.state = image_promised[i].from;
		assert_int_equal(next(image_promised[i].event, &image, NULL, NULL, &to, &e), 0);
		assert_int_equal(to.image, image_promised[i].to);
	}
	for (size_t i = 0; i < ARRAY_SIZE(settled) * ARRAY_SIZE(settled_promised); i++) {
		size_t p = i % ARRAY_SIZE(settled_promised);

		image.state = settled[i / ARRAY_SIZE(settled_promised)];
		assert_int_equal(next(settled_promised[p].event, &image, NULL, NULL, &to, &e), 0);
		assert_int_equal(to.image,
				 settled_promised[p].to ? settled_promised[p].to : image.state);
	}
}

static void test_all_other_steps_of_images_are_refused(void **unused)
{
	size_t refused = 0, all = (size_t)IMAGE_NUM_STATES * IMAGE_NUM_EVENTS;
	struct image image = { .name = (char[]){ "hello" } };
	struct image_states to;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < all; i++) {
		image.state = (enum image_state)(i / IMAGE_NUM_EVENTS);
		refused += next((enum image_event)(i % IMAGE_NUM_EVENTS), &image, NULL, NULL, &to,
				&e) != 0;
	}
	assert_int_equal(refused, all - ARRAY_SIZE(image_promised) -
					  ARRAY_SIZE(settled) * ARRAY_SIZE(settled_promised));
}

static void test_versions_take_the_promised_steps_alone(void **unused)
{
	size_t refused = 0, all = (size_t)VERSION_NUM_STATES * IMAGE_NUM_EVENTS;
	struct image image = { .name = (char[]){ "hello" } };
	struct image_version v = { .image = &image, .number = 1 };
	struct image_states to;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(version_promised); i++) {
		image.state = fitting(version_promised[i].event);
		v.state = version_promised[i].from;
		assert_int_equal(next(version_promised[i].event, &image, &v, NULL, &to, &e), 0);
		assert_int_equal(to.version, version_promised[i].to);
	}
	for (size_t i = 0; i < all; i++) {
		image.state = fitting((enum image_event)(i % IMAGE_NUM_EVENTS));
		v.state = (enum version_state)(i / IMAGE_NUM_EVENTS);
		refused += next((enum image_event)(i % IMAGE_NUM_EVENTS), &image, &v, NULL, &to,
				&e) != 0;
	}
	assert_int_equal(refused, all - ARRAY_SIZE(version_promised));
}

/* Where the image has nothing against it; the version is left out. */
static void test_builds_take_the_promised_steps_alone(void **unused)
{
	size_t refused = 0, all = (size_t)BUILD_NUM_STATES * IMAGE_NUM_EVENTS;
	struct image image = { .name = (char[]){ "hello" } };
	struct build b = { .id = "b" };
	struct image_states to;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(build_promised); i++) {
		image.state = fitting(build_promised[i].event);
		b.state = build_promised[i].from;
		assert_int_equal(next(build_promised[i].event, &image, NULL, &b, &to, &e), 0);
		assert_int_equal(to.build, build_promised[i].to);
	}
	for (size_t i = 0; i < all; i++) {
		image.state = fitting((enum image_event)(i % IMAGE_NUM_EVENTS));
		b.state = (enum build_state)(i / IMAGE_NUM_EVENTS);
		refused += next((enum image_event)(i % IMAGE_NUM_EVENTS), &image, NULL, &b, &to,
				&e) != 0;
	}
	assert_int_equal(refused, all - ARRAY_SIZE(build_promised));
}

#define ARN "arn:aws:lambda:us-east-1:000000000000:microvm-image:hello"

/* service.md 9.3 to 9.5. */
static const struct {
	enum image_event event;
	enum image_state image;
	enum version_state version;
	enum err_kind kind;
	const char *text;
} sentences[] = {
	{ IMAGE_EV_UPDATE, IMAGE_UPDATING, VERSION_NEW, ERR_INVALID,
	  "Cannot update MicroVM Image in its current state: " ARN },
	{ IMAGE_EV_REBUILD, IMAGE_UPDATING, VERSION_NEW, ERR_CONFLICT,
	  "MicroVM Image is already in state: UPDATING" },
	{ IMAGE_EV_DELETE, IMAGE_CREATING, VERSION_NEW, ERR_INVALID,
	  "Cannot delete MicroVM image in its current state: " ARN },
	{ IMAGE_EV_DELETE_VERSION, IMAGE_UPDATING, VERSION_SUCCESSFUL, ERR_CONFLICT,
	  "MicroVM Image is already in state: UPDATING" },
	{ IMAGE_EV_ACTIVATE, IMAGE_DELETING, VERSION_SUCCESSFUL, ERR_CONFLICT,
	  "MicroVM Image is already in state: DELETING" },
	{ IMAGE_EV_DEACTIVATE, IMAGE_CREATING, VERSION_SUCCESSFUL, ERR_CONFLICT,
	  "MicroVM Image is already in state: CREATING" },
	{ IMAGE_EV_ACTIVATE, IMAGE_CREATED, VERSION_FAILED, ERR_INVALID,
	  "Only a SUCCESSFUL version can be ACTIVE; this one is in state: FAILED" },
};

static void test_refusals_are_worded_as_the_service_words_them(void **unused)
{
	struct image image = { .account = "000000000000", .name = (char[]){ "hello" } };
	struct image_version v = { .image = &image, .number = 1 };
	struct image_states to;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(sentences); i++) {
		image.state = sentences[i].image;
		v.state = sentences[i].version;
		assert_int_equal(
			next(sentences[i].event, &image, v.state ? &v : NULL, NULL, &to, &e), -1);
		assert_int_equal(e.kind, sentences[i].kind);
		assert_string_equal(e.text, sentences[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_promised_steps_of_images_are_taken),
		cmocka_unit_test(test_all_other_steps_of_images_are_refused),
		cmocka_unit_test(test_versions_take_the_promised_steps_alone),
		cmocka_unit_test(test_builds_take_the_promised_steps_alone),
		cmocka_unit_test(test_refusals_are_worded_as_the_service_words_them),
	};

	conf_defaults(&conf, "");
	return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
