/* Names of images: every text that means the same is one name, and a refusal says which part. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire/reference.h"

#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX

static void test_a_name_means_what_docker_takes_it_for(void **unused)
{
	static const struct {
		const char *text, *name, *familiar;
	} rows[] = {
		{ "node", "docker.io/library/node:latest", "node" },
		{ "node:22", "docker.io/library/node:22", "node:22" },
		{ "docker.io/node:22", "docker.io/library/node:22", "node:22" },
		{ "docker.io/library/node:22", "docker.io/library/node:22", "node:22" },
		{ "library/node:22", "docker.io/library/node:22", "node:22" },
		{ "index.docker.io/library/node:22", "docker.io/library/node:22", "node:22" },
		{ "registry-1.docker.io/library/node:22", "docker.io/library/node:22", "node:22" },
		{ "Docker.IO/node:22", "docker.io/library/node:22", "node:22" },
		{ "me/app", "docker.io/me/app:latest", "me/app" },
		{ "a/b/c:1", "docker.io/a/b/c:1", "a/b/c:1" },
		{ "localhost/base", "localhost/base:latest", "localhost/base" },
		{ "localhost:5000/base", "localhost:5000/base:latest", "localhost:5000/base" },
		{ "127.0.0.1:5000/a/b:Tag_1.2-x", "127.0.0.1:5000/a/b:Tag_1.2-x",
		  "127.0.0.1:5000/a/b:Tag_1.2-x" },
		{ "[::1]:5000/base:1", "[::1]:5000/base:1", "[::1]:5000/base:1" },
		{ "example.com/base:1", "example.com/base:1", "example.com/base:1" },
		{ "Example.COM/base", "example.com/base:latest", "example.com/base" },
		{ "LocalHost/base", "localhost/base:latest", "localhost/base" },
		{ "MyHost/base", "MyHost/base:latest", "MyHost/base" },
		{ "gcr.io/distroless/static-debian12", "gcr.io/distroless/static-debian12:latest",
		  "gcr.io/distroless/static-debian12" },
		{ "a__b/c--d.e/f", "docker.io/a__b/c--d.e/f:latest", "a__b/c--d.e/f" },
		{ "node@" DIGEST, "docker.io/library/node@" DIGEST, "node@" DIGEST },
		{ "node:22@" DIGEST, "docker.io/library/node@" DIGEST, "node:22@" DIGEST },
		{ "node:latest@" DIGEST, "docker.io/library/node@" DIGEST, "node:latest@" DIGEST },
		{ "h:1/x:2@" DIGEST, "h:1/x@" DIGEST, "h:1/x:2@" DIGEST },
		{ "docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c" },
		{ "docker.io/localhost/c", "docker.io/localhost/c:latest",
		  "docker.io/localhost/c" },
		{ "docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char name[REFERENCE_MAX], familiar[REFERENCE_MAX], again[REFERENCE_MAX];
		struct reference r;
		struct err e;

		if (reference_parse(&r, rows[i].text, &e))
			fail_msg("%s: %s", rows[i].text, e.text);
		reference_name(&r, name);
		reference_familiar(&r, familiar);
		assert_string_equal(name, rows[i].name);
		assert_string_equal(familiar, rows[i].familiar);
		assert_int_equal(reference_parse(&r, familiar, &e), 0);
		reference_name(&r, again);
		assert_string_equal(again, rows[i].name);
	}
}

static void test_a_refusal_names_the_part_that_is_wrong(void **unused)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "", "it is empty" },
		{ "Node:22", "the name 'Node' has a capital letter" },
		{ "example.com/Team/base", "the name 'Team/base' has a capital letter" },
		{ "example.com//base", "the name '/base' has a slash too many" },
		{ "example.com/", "has a slash too many" },
		{ "/base", "has a slash too many" },
		{ "base/", "has a slash too many" },
		{ "-base", "the name '-base' has '.', '_' or '-' at an end" },
		{ "a..b", "the name 'a..b' has '.', '_' or '-' at an end or in a row" },
		{ "a___b", "the name 'a___b' has '.', '_' or '-' at an end or in a row" },
		{ "../x", "the registry '..' is no host name" },
		{ "a b", "the name 'a b' has a character other than" },
		{ "base:", "there is no tag behind the ':'" },
		{ "base:1:2", "the name 'base:1' has a character other than" },
		{ "base:-1", "the tag '-1' is not made of" },
		{ "base:a/b:1", "the registry 'base:a' has a port that is no number" },
		{ "h:0/b", "the registry 'h:0' has a port that is no number" },
		{ "h:65536/b", "the registry 'h:65536' has a port that is no number" },
		{ "h:4294967376/b", "has a port that is no number" },
		{ "-h.example/b", "the registry '-h.example' is no host name" },
		{ "h.-x.example/b", "is no host name" },
		{ "h./b", "the registry 'h.' is no host name" },
		{ "[::1/b", "the registry '[::1' is no host name" },
		{ "base@sha256:12", "the digest 'sha256:12' is not 'sha256:' with 64 hex digits" },
		{ "base@md5:" HEX, "the digest 'md5:" HEX "' is not" },
		{ "base@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
		  "is not 'sha256:' with 64 hex digits" },
		{ "@" DIGEST, "has a slash too many" },
		{ "https://example.com/base",
		  "the registry 'https:' has a port that is no number" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reference r;
		struct err e = { 0 };

		if (!reference_parse(&r, rows[i].text, &e))
			fail_msg("'%s' is taken", rows[i].text);
		if (!strstr(e.text, rows[i].says))
			fail_msg("'%s': %s", rows[i].text, e.text);
	}
}

static void test_what_is_too_long_is_refused(void **unused)
{
	char text[1200] = { 0 };
	struct reference r;
	struct err e;

	(void)unused;
	memset(text, 'a', 247);
	assert_int_equal(reference_parse(&r, text, &e), -1); /* docker.io/library/ and 247 */
	text[237] = '\0';
	assert_int_equal(reference_parse(&r, text, &e), 0);
	strcpy(text, "a:");
	memset(text + 2, 'b', 129);
	assert_int_equal(reference_parse(&r, text, &e), -1);
	assert_non_null(strstr(e.text, "is longer than 128 characters"));
	text[130] = '\0';
	assert_int_equal(reference_parse(&r, text, &e), 0);
	memset(text, 'a', sizeof(text) - 1);
	assert_int_equal(reference_parse(&r, text, &e), -1);
	assert_non_null(strstr(e.text, "longer than 767 characters"));
}

static void test_an_official_image_is_one_at_both_of_its_registries(void **unused)
{
	static const struct {
		const char *text, *twin, *unified;
	} rows[] = {
		{ "node:22", "public.ecr.aws/docker/library/node:22", "docker.io/library/node:22" },
		{ "public.ecr.aws/docker/library/node:22", "docker.io/library/node:22",
		  "docker.io/library/node:22" },
		{ "public.ecr.aws/docker/library/node@" DIGEST, "docker.io/library/node@" DIGEST,
		  "docker.io/library/node@" DIGEST },
		{ "me/app", NULL, "docker.io/me/app:latest" },
		{ "public.ecr.aws/lambda/microvms:al2023", NULL,
		  "public.ecr.aws/lambda/microvms:al2023" },
		{ "example.com/docker/library/node:22", NULL,
		  "example.com/docker/library/node:22" },
		{ "public.ecr.aws/docker/library/a/b:1", NULL,
		  "public.ecr.aws/docker/library/a/b:1" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char name[REFERENCE_MAX];
		struct reference r, twin;
		struct err e;

		assert_int_equal(reference_parse(&r, rows[i].text, &e), 0);
		assert_int_equal(reference_twin(&r, &twin), rows[i].twin != NULL);
		if (rows[i].twin) {
			reference_name(&twin, name);
			assert_string_equal(name, rows[i].twin);
		}
		reference_unify(&r);
		reference_name(&r, name);
		assert_string_equal(name, rows[i].unified);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_name_means_what_docker_takes_it_for),
		cmocka_unit_test(test_a_refusal_names_the_part_that_is_wrong),
		cmocka_unit_test(test_what_is_too_long_is_refused),
		cmocka_unit_test(test_an_official_image_is_one_at_both_of_its_registries),
	};

	return cmocka_run_group_tests_name("wire/reference", tests, NULL, NULL);
}
