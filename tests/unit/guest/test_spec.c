/* START: what it asks for, and what it may leave out. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "guest/spec.h"

static int spec_from(struct buf *b, struct app_spec *s, struct err *e)
{
	struct agent_frame f;
	size_t used;

	agent_end(b, 0);
	assert_int_equal(agent_frame_next(b->data, b->size, LIMIT_AGENT_TO_GUEST, &f, &used), 1);
	return spec_parse(&f, s, e);
}

static void test_everything_that_start_says_is_kept_in_order(void **unused)
{
	autobuf struct buf b = { 0 };
	struct app_spec s;
	struct err e;

	(void)unused;
	agent_begin(&b, AGENT_START);
	agent_put_text(&b, FIELD_ARG, "gunicorn");
	agent_put_text(&b, FIELD_ENV, "A=1");
	agent_put_text(&b, FIELD_ARG, "app:app");
	agent_put_text(&b, FIELD_ENV, "A=2");
	agent_put_text(&b, FIELD_USER, "web");
	agent_put_text(&b, FIELD_WORKDIR, "/srv");
	agent_put_u64(&b, FIELD_ALL_CAPS, 1);
	agent_put_u64(&b, FIELD_NO_NEW_PRIVS, 1);
	agent_put_text(&b, FIELD_FILE_PATH, "/etc/ca");
	agent_put(&b, FIELD_FILE_DATA, "a\0b", 3);
	agent_put_u64(&b, FIELD_TIMEOUT_MS, 5); /* of CHECK */
	agent_put_text(&b, FIELD_FILE_OVER, "/etc/java");
	agent_put(&b, FIELD_FILE_DATA, "c", 1);
	agent_put(&b, 4000, "of a later\0protocol", 20);
	assert_int_equal(spec_from(&b, &s, &e), 0);
	assert_int_equal(s.n_argv, 2);
	assert_string_equal(s.argv[1], "app:app");
	assert_null(s.argv[2]);
	assert_string_equal(spec_env(&s, "A"), "2");
	assert_null(spec_env(&s, "AB"));
	assert_string_equal(s.user, "web");
	assert_string_equal(s.workdir, "/srv");
	assert_true(s.all_caps);
	assert_true(s.no_new_privs);
	assert_int_equal(s.n_files, 2);
	assert_string_equal(s.files[0].path, "/etc/ca");
	assert_int_equal(s.files[0].size, 3);
	assert_false(s.files[0].over);
	assert_string_equal(s.files[1].path, "/etc/java");
	assert_true(s.files[1].over);
	spec_free(&s);
}

static void test_defaults_give_way_to_what_the_image_says(void **unused)
{
	static const char *const defaults[] = { "PATH=/bin", "HOME=/", NULL };
	autobuf struct buf b = { 0 };
	struct app_spec s;
	struct err e;

	(void)unused;
	agent_begin(&b, AGENT_START);
	agent_put_text(&b, FIELD_ARG, "x");
	agent_put_text(&b, FIELD_ENV, "HOME=");
	agent_put_text(&b, FIELD_FILE_PATH, "/etc/hosts");
	agent_put_text(&b, FIELD_FILE_DATA, "mine");
	assert_int_equal(spec_from(&b, &s, &e), 0);
	spec_env_complete(&s, defaults);
	spec_file_default(&s, "/etc/hosts", "ours");
	spec_file_default(&s, "/etc/hostname", "ours");
	assert_string_equal(spec_env(&s, "HOME"), "");
	spec_env_set(&s, "HOME", "/root");
	assert_string_equal(spec_env(&s, "HOME"), "/root");
	assert_string_equal(spec_env(&s, "PATH"), "/bin");
	assert_int_equal(s.n_files, 2);
	assert_memory_equal(s.files[0].data, "mine", 4);
	spec_free(&s);
}

static void test_the_environment_has_dockers_order(void **unused)
{
	static const char *const defaults[] = { "PATH=/bin", "HOSTNAME=localhost", NULL };
	static const char *const image[] = { "LANG=C",  "KEY=first", "PATH=/opt",
					     "no sign", "EMPTY=",    "KEY=second=2" };
	static const char *const want[] = { "PATH=/opt", "HOSTNAME=localhost", "LANG=C",
					    "KEY=second=2", "EMPTY=" };
	autobuf struct buf b = { 0 };
	struct app_spec s;
	struct err e;

	(void)unused;
	agent_begin(&b, AGENT_START);
	agent_put_text(&b, FIELD_ARG, "x");
	for (size_t i = 0; i < ARRAY_SIZE(image); i++)
		agent_put_text(&b, FIELD_ENV, image[i]);
	assert_int_equal(spec_from(&b, &s, &e), 0);
	spec_env_complete(&s, defaults);
	assert_int_equal(s.n_env, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_string_equal(s.env[i], want[i]);
	assert_null(s.env[s.n_env]);
	spec_free(&s);
}

/* Each is one field that spoils a frame with a program. */
static void test_what_makes_no_sense_is_refused_with_a_sentence(void **unused)
{
	static const struct {
		uint16_t tag;
		const char *data;
		size_t size;
	} bad[] = {
		{ FIELD_ARG, "a\0b", 3 },    { FIELD_ENV, "\0", 1 },   { FIELD_WORKDIR, "/\0", 2 },
		{ FIELD_FILE_DATA, "x", 1 }, { FIELD_USER, "r\0", 2 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		autobuf struct buf b = { 0 };
		struct app_spec s;
		struct err e = { 0 };

		agent_begin(&b, AGENT_START);
		agent_put_text(&b, FIELD_ARG, "program");
		agent_put(&b, bad[i].tag, bad[i].data, bad[i].size);
		assert_int_equal(spec_from(&b, &s, &e), -1);
		assert_true(strlen(e.text) > 0);
		spec_free(&s);
	}
}

static void test_an_image_without_a_program_is_refused(void **unused)
{
	autobuf struct buf b = { 0 };
	struct app_spec s;
	struct err e;

	(void)unused;
	agent_begin(&b, AGENT_START);
	agent_put_text(&b, FIELD_ENV, "A=1");
	assert_int_equal(spec_from(&b, &s, &e), -1);
	assert_non_null(strstr(e.text, "ENTRYPOINT"));
	spec_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_that_start_says_is_kept_in_order),
		cmocka_unit_test(test_defaults_give_way_to_what_the_image_says),
		cmocka_unit_test(test_the_environment_has_dockers_order),
		cmocka_unit_test(test_what_makes_no_sense_is_refused_with_a_sentence),
		cmocka_unit_test(test_an_image_without_a_program_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
