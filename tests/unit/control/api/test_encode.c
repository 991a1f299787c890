/* What the API shows: every member is there, what is absent is null, times are seconds. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/api/encode.h"
#include "control/api/page.h"
#include "control/api/resolve.h"

#define ARN "arn:aws:lambda:us-east-1:000000000000:microvm-image:hello"

struct world {
	struct conf conf;
	struct control ctl;
	struct image *image;
	struct image_version *v;
};

static struct world *world_new(void)
{
	struct world *w = xcalloc(1, sizeof(*w));

	conf_defaults(&w->conf, "");
	w->ctl.conf = &w->conf;
	strcpy(w->ctl.endpoint_suffix, ".lambda-microvm.us-east-1.localhost");
	model_init(&w->ctl);
	w->image = model_image_new("000000000000", "hello");
	model_add_image(&w->ctl, w->image);
	w->image->state = IMAGE_CREATED;
	w->image->created_ms = 1785587445123;
	w->v = model_version_new(w->image, 1, json_pack("{s:s}", "description", "d"));
	model_add_version(w->v);
	w->v->state = VERSION_SUCCESSFUL;
	w->v->status = VERSION_ACTIVE;
	w->v->created_ms = 1785587445000; /* 2026-08-01 12:30 */
	return w;
}

static void world_free(struct world *w)
{
	model_image_free(&w->ctl, w->image);
	model_close(&w->ctl);
	free(w);
}

static void assert_json(json_t *got, const char *want)
{
	char *text = json_dumps(got, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(13));

	assert_string_equal(text, want);
	free(text);
	json_decref(got);
}

static void test_an_image_shows_what_the_service_shows(void **unused)
{
	struct world *w = world_new();
	char want[1024];

	(void)unused;
	w->image->updated_ms = 0;
	snprintf(want, sizeof(want),
		 "{\"createdAt\":1785587445.123,\"id\":\"%s\",\"imageArn\":\"" ARN
		 "\",\"latestActiveImageVersion\":\"3.0\",\"latestFailedImageVersion\":null,"
		 "\"name\":\"hello\",\"state\":\"CREATED\",\"tags\":{},\"updatedAt\":null}",
		 w->image->id);
	w->image->latest_active = 3;
	assert_json(encode_image(&w->ctl, w->image, false), want);
	world_free(w);
}

static void test_a_version_has_every_member(void **unused)
{
	static const char *const members[] = {
		"additionalOsCapabilities",
		"baseImageArn",
		"baseImageVersion",
		"buildRoleArn",
		"codeArtifact",
		"cpuConfigurations",
		"egressNetworkConnectors",
		"environmentVariables",
		"hooks",
		"logging",
		"resources",
		"stateReason",
		"tags",
	};
	static const char *const absent[] = {
		"buildPhaseOverrides",
		"kmsKeyIdentifier",
		"roleConfiguration",
	};
	struct world *w = world_new();
	json_t *got = encode_version(&w->ctl, w->v);

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (!json_is_null(json_object_get(got, members[i])))
			fail_msg("%s is not null", members[i]);
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
		if (json_object_get(got, absent[i]))
			fail_msg("%s is there", absent[i]);
	assert_string_equal(json_string_value(json_object_get(got, "description")), "d");
	assert_string_equal(json_string_value(json_object_get(got, "imageVersion")), "1.0");
	assert_string_equal(json_string_value(json_object_get(got, "versionStateTimeBucket")),
			    "SUCCESSFUL#26080112");
	json_decref(got);
	world_free(w);
}

static void test_a_build_shows_the_sizes_that_it_reached(void **unused)
{
	static const struct {
		int64_t memory, code, disk;
		const char *want;
	} rows[] = {
		{ 0, 0, 0, "null" },
		{ 0, 7, 0, "{\"codeInstallSizeInBytes\":7}" },
		{ 5, 7, 0,
		  "{\"codeInstallSizeInBytes\":7,\"diskSnapshotSizeInBytes\":0,"
		  "\"memorySnapshotSizeInBytes\":5}" },
	};
	struct world *w = world_new();
	struct build *b = model_build_new(w->v);

	(void)unused;
	b->state = BUILD_FAILED;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *got;
		char *text;

		b->memory_bytes = rows[i].memory;
		b->code_bytes = rows[i].code;
		b->disk_bytes = rows[i].disk;
		got = encode_build(&w->ctl, b, false);
		text = json_dumps(json_object_get(got, "snapshotBuild"),
				  JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
		assert_string_equal(text, rows[i].want);
		free(text);
		json_decref(got);
	}
	world_free(w);
}

static void test_a_microvm_hides_its_payload(void **unused)
{
	struct world *w = world_new();
	struct microvm *vm =
		model_microvm_new(&w->ctl, w->v,
				  json_pack("{s:s,s:{},s:i}", "runHookPayload", "secret", "logging",
					    "maximumDurationInSeconds", 60));
	json_t *got = encode_microvm(&w->ctl, vm);
	const char *endpoint = json_string_value(json_object_get(got, "endpoint"));

	(void)unused;
	assert_int_equal(json_object_size(got), 14);
	assert_null(json_object_get(got, "kmsKeyIdentifier"));
	assert_null(json_object_get(got, "runHookPayload"));
	assert_null(json_object_get(got, "logging"));
	assert_true(json_is_null(json_object_get(got, "idlePolicy")));
	assert_true(json_is_null(json_object_get(got, "stateReason")));
	assert_string_equal(json_string_value(json_object_get(got, "state")), "PENDING");
	assert_string_equal(endpoint + strlen(vm->endpoint), w->ctl.endpoint_suffix);
	json_decref(got);
	model_microvm_free(vm);
	world_free(w);
}

static void test_arns_name_what_they_name(void **unused)
{
	static const struct {
		const char *arn;
		bool image;
		const char *base, *connector; /* "": not managed, but one */
	} rows[] = {
		{ ARN, true, NULL, NULL },
		{ ARN "2", false, NULL, NULL },
		{ "arn:aws:lambda:eu-west-1:000000000000:microvm-image:hello", false, NULL, NULL },
		{ "arn:aws:lambda:us-east-1:111111111111:microvm-image:hello", false, NULL, NULL },
		{ "hello", false, NULL, NULL },
		{ "", false, NULL, NULL },
		{ "arn:aws:lambda:us-west-2:aws:microvm-image:al2023-1", false, "al2023-1", NULL },
		{ "arn:aws:lambda:r:aws:network-connector:aws-network-connector:HTTP_INGRESS",
		  false, NULL, "HTTP_INGRESS" },
		{ "arn:aws:lambda:r:000000000000:network-connector:nc-1", false, NULL, "" },
		{ "arn:aws:ec2:r:aws:network-connector:aws-network-connector:X", false, NULL,
		  NULL },
	};
	struct world *w = world_new();

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *name = NULL;

		assert_true(!!find_image(&w->ctl, "000000000000", rows[i].arn) == rows[i].image);
		assert_true(arn_managed_image(rows[i].arn, &name) == !!rows[i].base);
		if (rows[i].base)
			assert_string_equal(name, rows[i].base);
		assert_true(arn_managed_connector(rows[i].arn, &name) == !!rows[i].connector);
		if (rows[i].connector)
			assert_string_equal(name ? name : "", rows[i].connector);
	}
	world_free(w);
}

static void test_versions_are_read_with_and_without_their_zero(void **unused)
{
	static const struct {
		const char *text;
		int64_t number;
	} rows[] = {
		{ "1", 1 },  { "1.0", 1 }, { "12.0", 12 }, { "1.1", 0 },         { "", 0 },
		{ "-1", 0 }, { "1.", 0 },  { "1.00", 0 },  { "99999999999", 0 }, { "a", 0 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_true(version_number(rows[i].text) == rows[i].number);
}

static void test_a_page_goes_on_after_an_item_that_is_gone(void **unused)
{
	static const struct {
		const char *id;
		int64_t at;
	} all[] = { { "e", 50 }, { "d", 40 }, { "c", 30 }, { "b", 20 }, { "a", 10 } };
	static const struct op op = { .name = "ListMicrovms" };
	struct call c = { .op = &op, .in = json_pack("{s:i}", "maxResults", 2) };
	struct page first, second;
	size_t n = 0;

	(void)unused;
	assert_true(page_begin(&first, &c));
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		n += page_takes(&first, all[i].id, all[i].at);
	assert_int_equal(n, 2);
	assert_true(first.more);
	assert_string_equal(first.last, "d");
	json_decref(first.items);

	assert_true(page_begin(&second, &c));
	second.begun = false;
	strcpy(second.after, first.last);
	second.after_at = first.last_at;
	assert_true(page_takes(&second, "e", 50) == false);
	assert_true(page_takes(&second, "c", 30)); /* "d" has gone meanwhile */
	assert_true(page_takes(&second, "b", 20));
	assert_false(page_takes(&second, "a", 10));
	assert_true(second.more);
	json_decref(second.items);
	json_decref(c.in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_image_shows_what_the_service_shows),
		cmocka_unit_test(test_a_version_has_every_member),
		cmocka_unit_test(test_a_build_shows_the_sizes_that_it_reached),
		cmocka_unit_test(test_a_microvm_hides_its_payload),
		cmocka_unit_test(test_arns_name_what_they_name),
		cmocka_unit_test(test_versions_are_read_with_and_without_their_zero),
		cmocka_unit_test(test_a_page_goes_on_after_an_item_that_is_gone),
	};

	return cmocka_run_group_tests_name("control/api/encode", tests, NULL, NULL);
}
