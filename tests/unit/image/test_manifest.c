/* What registries send: manifests, lists of platforms, challenges, errors. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "image/manifest.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define C "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct buf text_of(const char *text)
{
	return (struct buf){ (uint8_t *)(uintptr_t)text, strlen(text), 0, false };
}

#define ENTRY(digest, os, arch)                                                                    \
	"{\"digest\":\"" digest "\",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"" \
	"}}"

#define IMAGE(more) "{\"config\":{\"digest\":\"" A "\"}" more "}"
#define TWO_WAYS    "a manifest that can be read in two ways"

static void test_a_manifest_says_what_it_is(void **unused)
{
	static const struct {
		const char *text;
		int rc;
		enum manifest_kind kind;
		const char *says; /* the message, the configuration, the image or the platforms */
	} rows[] = {
		{ "{\"schemaVersion\":2,\"config\":{\"digest\":\"" A "\"}}", 0, MANIFEST_IMAGE, A },
		{ "{\"config\":{\"digest\":\"" A "\"},\"layers\":[{\"urls\":[]}]}", 0,
		  MANIFEST_IMAGE, A },
		{ "{\"manifests\":[" ENTRY(A, "linux", "arm64") "," ENTRY(B, "linux", "amd64") "]}",
		  0, MANIFEST_FOUND, B },
		{ "{\"manifests\":[" ENTRY(A, "linux", "amd64") "," ENTRY(B, "linux", "amd64") "]}",
		  0, MANIFEST_FOUND, A },
		{ "{\"manifests\":[" ENTRY(A, "windows", "amd64") "," ENTRY(
			  B, "linux", "arm64") "," ENTRY(B, "linux", "arm") "," ENTRY(B, "linux",
										      "arm64") "]}",
		  0, MANIFEST_OTHER, "windows/amd64, linux/arm64, linux/arm" },
		{ "{\"manifests\":[" ENTRY(A, "unknown", "unknown") "," ENTRY(B, "li\\nnux",
									      "x") "]}",
		  0, MANIFEST_OTHER, "" },
		{ "{\"manifests\":[]}", 0, MANIFEST_OTHER, "" },
		{ "{\"manifests\":[{}]}", -1, MANIFEST_OTHER, "no proper digest" },
		{ "{\"manifests\":[" ENTRY("sha256:12", "linux", "amd64") "]}", -1, MANIFEST_OTHER,
		  "no proper digest" },
		{ "{\"config\":{\"digest\":\"" A "\"},\"layers\":[{\"urls\":[\"http://x\"]}]}", -1,
		  MANIFEST_IMAGE, "at other addresses" },
		{ "{\"schemaVersion\":1}", -1, MANIFEST_IMAGE, "first form" },
		{ "{}", -1, MANIFEST_IMAGE, "a manifest of no container image" },
		{ "{\"config\":\"" A "\"}", -1, MANIFEST_IMAGE,
		  "a manifest of no container image" },
		{ "[]", -1, MANIFEST_IMAGE, "no manifest" },
		{ "<html>", -1, MANIFEST_IMAGE, "no manifest" },
		{ "", -1, MANIFEST_IMAGE, "no manifest" },
		{ "{\"a\":1,\"a\":2}", -1, MANIFEST_IMAGE, "no manifest" },
		/* The builder reads names of members without case, and takes the last. */
		{ IMAGE(",\"Layers\":[{\"urls\":[\"http://x\"]}]"), -1, MANIFEST_IMAGE, TWO_WAYS },
		{ IMAGE(",\"LAYERS\":[],\"layers\":[]"), -1, MANIFEST_IMAGE, TWO_WAYS },
		{ IMAGE(",\"layers\":[{\"Urls\":[\"http://x\"]}]"), -1, MANIFEST_IMAGE, TWO_WAYS },
		{ IMAGE(",\"layers\":[{\"url\\u017f\":[\"http://x\"]}]"), -1, MANIFEST_IMAGE,
		  TWO_WAYS },
		{ IMAGE(",\"manifests\":{}"), -1, MANIFEST_IMAGE, TWO_WAYS },
		{ IMAGE(",\"manifests\":[" ENTRY(A, "linux", "amd64") "]"), -1, MANIFEST_IMAGE,
		  TWO_WAYS },
		{ IMAGE(",\"fsLayers\":[]"), -1, MANIFEST_IMAGE, TWO_WAYS },
		{ "{\"config\":{\"digest\":\"" A "\",\"Digest\":\"" B "\"}}", -1, MANIFEST_IMAGE,
		  TWO_WAYS },
		{ "{\"manifests\":[" ENTRY(A, "linux", "arm64") "],\"layers\":[]}", -1,
		  MANIFEST_IMAGE, TWO_WAYS },
		{ "{\"manifests\":[{\"digest\":\"" A "\",\"Platform\":{}}]}", -1, MANIFEST_IMAGE,
		  TWO_WAYS },
		{ "{\"manifests\":[{\"digest\":\"" A "\",\"platform\":{\"OS\":\"linux\"}}]}", -1,
		  MANIFEST_IMAGE, TWO_WAYS },
		{ IMAGE(",\"annotations\":{\"Layers\":\"x\",\"\\u00e4\":\"x\"},\"own\":1"), 0,
		  MANIFEST_IMAGE, A },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct buf text = text_of(rows[i].text);
		struct err e = { 0 };
		struct manifest m;

		assert_int_equal(manifest_read(&m, &text, "amd64", &e), rows[i].rc);
		if (rows[i].rc) {
			if (!strstr(e.text, rows[i].says))
				fail_msg("%s: %s", rows[i].text, e.text);
			continue;
		}
		assert_int_equal(m.kind, rows[i].kind);
		assert_string_equal(m.kind == MANIFEST_IMAGE   ? m.config
				    : m.kind == MANIFEST_FOUND ? m.image
							       : m.platforms,
				    rows[i].says);
	}
}

/* Which variant the builder takes is its own choice, and where none fits it takes an entry without
 * a platform. */
static void test_a_list_names_all_images_that_the_builder_might_take(void **unused)
{
	const struct buf text = text_of("{\"manifests\":[" ENTRY(A, "linux", "amd64") "," ENTRY(
		B, "linux", "arm64") "," ENTRY(A, "linux",
					       "amd64") ",{\"digest\":\"" B "\",\"platform\":null},"
							"{\"digest\":\"" C
							"\",\"platform\":{\"os\":\"linux\","
							"\"architecture\":\"amd64\","
							"\"variant\":\"v2\"}}]}");
	autobuf struct buf many = { 0 };
	struct manifest m;
	struct err e;

	(void)unused;
	assert_int_equal(manifest_read(&m, &text, "amd64", &e), 0);
	assert_string_equal(m.image, A);
	assert_int_equal(m.n_others, 2);
	assert_string_equal(m.others[0], B);
	assert_string_equal(m.others[1], C);
	buf_adds(&many, "{\"manifests\":[" ENTRY(A, "linux", "amd64"));
	for (int i = 0; i <= MANIFEST_OTHERS; i++)
		buf_addf(&many, ",{\"digest\":\"sha256:%064d\"}", i);
	buf_adds(&many, "]}");
	assert_int_equal(manifest_read(&m, &many, "amd64", &e), -1);
	assert_non_null(strstr(e.text, "too many images for one platform"));
}

static void test_a_list_of_many_platforms_is_cut(void **unused)
{
	autobuf struct buf text = { 0 };
	struct manifest m;
	struct err e;

	(void)unused;
	buf_adds(&text, "{\"manifests\":[");
	for (int i = 0; i < 500; i++)
		buf_addf(&text,
			 "%s{\"digest\":\"" A
			 "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"a%d\"}}",
			 i ? "," : "", i);
	buf_adds(&text, "]}");
	assert_int_equal(manifest_read(&m, &text, "amd64", &e), 0);
	assert_true(strlen(m.platforms) > 400);
	assert_true(strlen(m.platforms) < sizeof(m.platforms));
}

static void test_a_configuration_names_its_platform(void **unused)
{
	static const char *const rows[][2] = {
		{ "{\"os\":\"linux\",\"architecture\":\"arm64\"}", "linux/arm64" },
		{ "{\"os\":\"linux\"}", "" },
		{ "{\"os\":\"li nux\",\"architecture\":\"arm64\"}", "" },
		{ "x", "" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct buf text = text_of(rows[i][0]);
		char platform[80];

		manifest_platform(&text, platform, sizeof(platform));
		assert_string_equal(platform, rows[i][1]);
	}
}

static void test_a_digest_is_that_of_the_bytes(void **unused)
{
	const struct buf text = text_of("abc");
	char to[MANIFEST_DIGEST];

	(void)unused;
	manifest_digest(&text, to);
	assert_string_equal(
		to, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_a_challenge_says_how_to_log_in(void **unused)
{
	static const struct {
		const char *header;
		bool bearer, basic;
		const char *realm, *service;
	} rows[] = {
		{ "Bearer realm=\"https://a/t?x=1,2\",service=\"r.io\",scope=\"x\"", true, false,
		  "https://a/t?x=1,2", "r.io" },
		{ "bearer service=r.io, realm=https://a/t", true, false, "https://a/t", "r.io" },
		{ "Bearer error=\"a\\\"b\", REALM=\"https://a\"", true, false, "https://a", "" },
		{ "Bearer realm=\"https://a", true, false, "https://a", "" },
		{ "Bearer realm", true, false, "", "" },
		{ "Bearer ", true, false, "", "" },
		{ "Basic realm=\"x\"", false, true, "", "" },
		{ "Basic", false, true, "", "" },
		{ "Digest realm=\"x\"", false, false, "", "" },
		{ "", false, false, "", "" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct manifest_challenge c;

		manifest_read_challenge(&c, rows[i].header);
		assert_int_equal(c.bearer, rows[i].bearer);
		assert_int_equal(c.basic, rows[i].basic);
		assert_string_equal(c.realm, rows[i].realm);
		assert_string_equal(c.service, rows[i].service);
	}
}

static void test_an_error_has_a_code(void **unused)
{
	static const char *const rows[][2] = {
		{ "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"x\"}]}", "NAME_UNKNOWN" },
		{ "{\"errors\":[]}", "" },
		{ "{\"errors\":[{\"code\":\"a b\"}]}", "" },
		{ "404 page not found", "" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct buf text = text_of(rows[i][0]);
		char code[32];

		manifest_error(&text, code, sizeof(code));
		assert_string_equal(code, rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_manifest_says_what_it_is),
		cmocka_unit_test(test_a_list_names_all_images_that_the_builder_might_take),
		cmocka_unit_test(test_a_list_of_many_platforms_is_cut),
		cmocka_unit_test(test_a_configuration_names_its_platform),
		cmocka_unit_test(test_a_digest_is_that_of_the_bytes),
		cmocka_unit_test(test_a_challenge_says_how_to_log_in),
		cmocka_unit_test(test_an_error_has_a_code),
	};

	return cmocka_run_group_tests_name("image/manifest", tests, NULL, NULL);
}
