/* The build spec and the image's configuration: what is taken, what is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "image/spec.h"

#define SPEC                                                                                  \
	"\"bucket\":\"b\",\"key\":\"k\",\"name\":\"n\",\"imageArn\":\"arn:x\",\"version\":2," \
	"\"region\":\"r\",\"memoryMib\":512"

static void test_a_spec_is_read_with_its_hooks(void **unused)
{
	static const char text[] = "{" SPEC ",\"internet\":false,\"allCapabilities\":true,"
				   "\"hooks\":{\"port\":9000,\"ready\":{\"enabled\":true,"
				   "\"timeoutMs\":60000},\"run\":{\"enabled\":false}}}";
	struct spec s;
	struct err e;

	(void)unused;
	assert_int_equal(spec_read(&s, text, strlen(text), &e), 0);
	assert_string_equal(s.key, "k");
	assert_int_equal(s.version, 2);
	assert_int_equal(s.hook_port, 9000);
	assert_true(s.ready.enabled && s.all_capabilities && !s.internet && !s.validate.enabled);
	assert_int_equal(s.ready.timeout_ms, 60000);
	spec_free(&s);
}

static void test_a_spec_that_makes_no_sense_is_refused(void **unused)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{" SPEC ",\"key\":\"again\"}",
		"{" SPEC ",\"memoryMib\":\"512\"}",
		"{" SPEC ",\"hooks\":{\"ready\":{\"enabled\":true,\"timeoutMs\":1}}}",
		"{" SPEC ",\"hooks\":{\"port\":9000,\"ready\":{\"enabled\":true}}}",
		"{" SPEC ",\"hooks\":{\"port\":70000}}",
		"{" SPEC ",\"rebuildOf\":-1}",
		"{" SPEC ",\"rebuildOf\":2}",
		"{" SPEC ",\"rebuildOf\":\"1.0\"}",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct spec s;
		struct err e;

		if (!spec_read(&s, bad[i], strlen(bad[i]), &e))
			fail_msg("taken: %s", bad[i]);
	}
}

static void test_what_a_key_seals_is_not_stored_beside_the_version(void **unused)
{
	static const char *const texts[] = {
		"{" SPEC ",\"environment\":{\"A\":\"b-secret\"},\"sealed\":true,"
		"\"fileKey\":\"c-secret\"}",
		"{" SPEC ",\"environment\":{\"A\":\"b-secret\"}}",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		autofree char *text = NULL;
		struct spec s;
		struct err e;

		assert_int_equal(spec_read(&s, texts[i], strlen(texts[i]), &e), 0);
		text = spec_text(&s);
		assert_int_equal(strstr(text, "b-secret") != NULL, i == 1);
		assert_null(strstr(text, "c-secret"));
		assert_non_null(strstr(text, "arn:x"));
		assert_string_equal(json_string_value(json_object_get(s.environment, "A")),
				    "b-secret");
		spec_free(&s);
	}
}

static void test_a_rebuild_names_an_earlier_version(void **unused)
{
	struct spec s;
	struct err e;

	(void)unused;
	assert_int_equal(spec_read(&s, "{" SPEC "}", strlen("{" SPEC "}"), &e), 0);
	assert_int_equal(s.rebuild_of, 0);
	spec_free(&s);
	assert_int_equal(spec_read(&s, "{" SPEC ",\"rebuildOf\":1}",
				   strlen("{" SPEC ",\"rebuildOf\":1}"), &e),
			 0);
	assert_int_equal(s.rebuild_of, 1);
	spec_free(&s);
}

static void test_a_class_has_four_times_the_memory_and_at_most_the_hosts_cores(void **unused)
{
	(void)unused;
	assert_int_equal(spec_shape(512, 2).memory_mib, 2048);
	assert_int_equal(spec_shape(512, 2).vcpus, 1);
	assert_int_equal(spec_shape(2048, 64).vcpus, 4);
	assert_int_equal(spec_shape(8192, 64).vcpus, 16);
	assert_int_equal(spec_shape(8192, 2).vcpus, 2);
	assert_int_equal(spec_shape(2048, 2).disk_gib, 8);
	assert_int_equal(spec_shape(4096, 2).disk_gib, 16);
	assert_int_equal(spec_shape(8192, 2).disk_gib, 32);
}

static int read_app(struct app *a, const char *text, struct err *e)
{
	json_t *config = json_loads(text, 0, NULL);
	int rc = app_read(a, config, e);

	json_decref(config);
	return rc;
}

static void test_an_application_is_entrypoint_and_cmd_with_sorted_ports(void **unused)
{
	struct app a;
	struct err e;

	(void)unused;
	assert_int_equal(read_app(&a,
				  "{\"Entrypoint\":[\"a\"],\"Cmd\":[\"b\",\"c\"],\"Env\":[\"X=1\"],"
				  "\"User\":\"\",\"WorkingDir\":\"/w\",\"ExposedPorts\":{\"9000/"
				  "tcp\":{},\"80\":{},\"5353/udp\":{},\"53/udp\":{},\"9/"
				  "sctp\":{},\"0/udp\":{},\"x\":{},\"99999/tcp\":{}}}",
				  &e),
			 0);
	assert_int_equal(a.n_argv, 3);
	assert_string_equal(a.argv[2], "c");
	assert_null(a.user);
	assert_string_equal(a.workdir, "/w");
	assert_int_equal(a.n_ports, 2);
	assert_int_equal(a.ports[0], 80);
	assert_int_equal(a.ports[1], 9000);
	assert_int_equal(a.n_udp_ports, 2);
	assert_int_equal(a.udp_ports[0], 53);
	assert_int_equal(a.udp_ports[1], 5353);
	assert_int_equal(a.n_env, 2); /* X and a PATH */
	app_setenv(&a, "X", "2");
	assert_int_equal(a.n_env, 2);
	assert_string_equal(a.env[1], "X=2");
	app_unsetenv(&a, "PATH");
	assert_int_equal(a.n_env, 1);
	app_free(&a);
}

static void test_a_configuration_that_is_none_is_refused(void **unused)
{
	static const char *const bad[] = {
		"[]",
		"{}",
		"{\"Cmd\":\"sh\"}",
		"{\"Cmd\":[1]}",
		"{\"Cmd\":[\"a\"],\"Env\":[null]}",
		"{\"Cmd\":[\"a\"],\"User\":{}}",
		"{\"Cmd\":[],\"Entrypoint\":null}",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct app a;
		struct err e;

		if (!read_app(&a, bad[i], &e))
			fail_msg("taken: %s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_spec_is_read_with_its_hooks),
		cmocka_unit_test(test_a_spec_that_makes_no_sense_is_refused),
		cmocka_unit_test(test_what_a_key_seals_is_not_stored_beside_the_version),
		cmocka_unit_test(test_a_rebuild_names_an_earlier_version),
		cmocka_unit_test(
			test_a_class_has_four_times_the_memory_and_at_most_the_hosts_cores),
		cmocka_unit_test(test_an_application_is_entrypoint_and_cmd_with_sorted_ports),
		cmocka_unit_test(test_a_configuration_that_is_none_is_refused),
	};

	return cmocka_run_group_tests_name("image/spec", tests, NULL, NULL);
}
