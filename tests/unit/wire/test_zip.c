/* The artifact policy: what a zip may hold, and with which words the rest is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/limits.h"
#include "wire/zip.h"

#define DOCKERFILE                      \
	{                               \
		"Dockerfile", 20, 20, 0 \
	}

/* Entries in, the text of the refusal out ("" if there is none). */
static const struct zip_case {
	struct zip_entry entries[4];
	const char *code, *text;
} cases[] = {
	{ { DOCKERFILE }, NULL, "" },
	{ { { "./Dockerfile", 1, 1, 0 }, { "a/", 0, 0, 0 }, { "a/b", 1, 1, 0 } }, NULL, "" },
	{ { DOCKERFILE, { "a/", 0, 0, 0 }, { "a/", 0, 0, 0 } }, NULL, "" },
	{ { DOCKERFILE, { "..a/...", 1, 1, 0 } }, NULL, "" },
	{ { { "dir/Dockerfile", 1, 1, 0 } }, ZIP_CODE_NO_DOCKERFILE, "Dockerfile at its root" },
	{ { { "dockerfile", 1, 1, 0 } }, ZIP_CODE_NO_DOCKERFILE, "Dockerfile at its root" },
	{ { { "Dockerfile", 3, 3, S_IFLNK | 0777 } }, ZIP_CODE_NO_DOCKERFILE, "Dockerfile" },
	{ { DOCKERFILE, { "../x", 1, 1, 0 } }, ZIP_CODE_INVALID, "leads out" },
	{ { DOCKERFILE, { "a/../../x", 1, 1, 0 } }, ZIP_CODE_INVALID, "leads out" },
	{ { DOCKERFILE, { "a/..", 1, 1, 0 } }, ZIP_CODE_INVALID, "leads out" },
	{ { DOCKERFILE, { "/etc/passwd", 1, 1, 0 } }, ZIP_CODE_INVALID, "is absolute" },
	{ { DOCKERFILE, { "a\nb", 1, 1, 0 } }, ZIP_CODE_INVALID, "control character" },
	{ { DOCKERFILE, { "", 1, 1, 0 } }, ZIP_CODE_INVALID, "without a name" },
	{ { DOCKERFILE, { "null", 0, 0, S_IFCHR | 0666 } }, ZIP_CODE_INVALID, "'null' is neither" },
	{ { DOCKERFILE, { "pipe", 0, 0, S_IFIFO | 0666 } }, ZIP_CODE_INVALID, "'pipe' is neither" },
	{ { DOCKERFILE, { "d", 9, 9, S_IFDIR | 0755 } }, ZIP_CODE_INVALID, "with data" },
	{ { DOCKERFILE, { "l", 0, 0, S_IFLNK | 0777 } }, ZIP_CODE_INVALID, "malformed link" },
	{ { DOCKERFILE, DOCKERFILE }, ZIP_CODE_INVALID, "'Dockerfile' more than once" },
	{ { DOCKERFILE, { "./Dockerfile", 1, 1, 0 } }, ZIP_CODE_INVALID, "more than once" },
	{ { DOCKERFILE, { "a", 1, 1, 0 }, { "a/", 0, 0, 0 } }, ZIP_CODE_INVALID, "more than once" },
	{ { DOCKERFILE, { "l", 4, 4, S_IFLNK | 0777 }, { "l/x", 1, 1, 0 } },
	  ZIP_CODE_INVALID,
	  "'l', which is no directory" },
	{ { DOCKERFILE, { "big", LIMIT_ZIP_UNPACKED + 1, 9, 0 } }, ZIP_CODE_INVALID, "4 GiB" },
	{ { DOCKERFILE, { "a", LIMIT_ZIP_UNPACKED - 8, 1, 0 }, { "b", UINT64_MAX, 1, 0 } },
	  ZIP_CODE_INVALID,
	  "4 GiB" },
	{ { DOCKERFILE, { "bomb", 1 * GIB, 1 * MIB, 0 } }, ZIP_CODE_INVALID, "200 times" },
	{ { DOCKERFILE, { "dense", 60 * MIB, 1000, 0 } }, NULL, "" },
};

static void test_an_archive_is_taken_or_refused_with_a_reason(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct zip_policy *p = zip_policy_new();
		struct zip_plan plan;
		struct err e = { 0 };
		int rc = 0;

		for (size_t n = 0; !rc && n < 4 && cases[i].entries[n].name; n++)
			rc = zip_policy_add(p, &cases[i].entries[n], &plan, &e);
		if (!rc)
			rc = zip_policy_end(p, &e);
		assert_int_equal(rc, *cases[i].text ? -1 : 0);
		if (!strstr(e.text, cases[i].text))
			fail_msg("case %zu: '%s' instead of '%s'", i, e.text, cases[i].text);
		if (rc)
			assert_string_equal(zip_policy_code(p), cases[i].code);
		zip_policy_free(p);
	}
}

static void test_modes_are_kept_without_setuid_and_zero_is_a_plain_file(void **unused)
{
	static const struct {
		struct zip_entry entry;
		const char *path;
		enum zip_kind kind;
		uint32_t mode;
	} modes[] = {
		{ { "a", 1, 1, 0 }, "a", ZIP_KIND_FILE, 0644 },
		{ { "b/", 0, 0, 0 }, "b", ZIP_KIND_DIR, 0755 },
		{ { "c", 1, 1, S_IFREG }, "c", ZIP_KIND_FILE, 0644 },
		{ { ".//d", 1, 1, S_IFREG | 04755 }, "d", ZIP_KIND_FILE, 0755 },
		{ { "e", 0, 0, S_IFDIR | 0500 }, "e", ZIP_KIND_DIR, 0700 },
		{ { "f", 1, 1, S_IFREG | 0111 }, "f", ZIP_KIND_FILE, 0511 },
	};
	struct zip_policy *p = zip_policy_new();

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct zip_plan plan;
		struct err e;

		assert_int_equal(zip_policy_add(p, &modes[i].entry, &plan, &e), 0);
		assert_string_equal(plan.path, modes[i].path);
		assert_int_equal(plan.kind, modes[i].kind);
		assert_int_equal(plan.mode, modes[i].mode);
	}
	zip_policy_free(p);
}

static void test_a_link_leads_inside_or_is_refused(void **unused)
{
	static const struct {
		const char *path, *target;
		int rc;
	} links[] = {
		{ "l", "a", 0 },           { "l", "./a//b", 0 },       { "a/l", "../b", 0 },
		{ "a/b/l", "../../c", 0 }, { "l", "..", -1 },          { "l", "/etc/passwd", -1 },
		{ "a/l", "../..", -1 },    { "a/l", "b/../../c", -1 }, { "l", "a/..", -1 },
		{ "l", "", -1 },           { "a/l", "./../b", 0 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		struct err e;

		if (zip_policy_link(links[i].path, links[i].target, &e) != links[i].rc)
			fail_msg("%s -> %s", links[i].path, links[i].target);
	}
}

static void test_a_name_over_the_limits_is_refused(void **unused)
{
	char name[2 * LIMIT_ZIP_NAME];
	struct zip_policy *p = zip_policy_new();
	struct zip_plan plan;
	struct err e;

	(void)unused;
	memset(name, 'x', sizeof(name));
	name[256] = '\0';
	assert_int_equal(zip_policy_add(p, &(struct zip_entry){ name, 1, 1, 0 }, &plan, &e), -1);
	name[255] = '\0';
	assert_int_equal(zip_policy_add(p, &(struct zip_entry){ name, 1, 1, 0 }, &plan, &e), 0);
	for (size_t i = 0; i < sizeof(name) - 1; i++)
		name[i] = i % 2 ? '/' : 'x';
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(zip_policy_add(p, &(struct zip_entry){ name, 1, 1, 0 }, &plan, &e), -1);
	name[LIMIT_ZIP_DEPTH * 2 + 1] = '\0';
	assert_int_equal(zip_policy_add(p, &(struct zip_entry){ name, 1, 1, 0 }, &plan, &e), -1);
	name[LIMIT_ZIP_DEPTH * 2 - 1] = '\0';
	assert_int_equal(zip_policy_add(p, &(struct zip_entry){ name, 1, 1, 0 }, &plan, &e), 0);
	zip_policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_archive_is_taken_or_refused_with_a_reason),
		cmocka_unit_test(test_modes_are_kept_without_setuid_and_zero_is_a_plain_file),
		cmocka_unit_test(test_a_link_leads_inside_or_is_refused),
		cmocka_unit_test(test_a_name_over_the_limits_is_refused),
	};

	return cmocka_run_group_tests_name("wire/zip", tests, NULL, NULL);
}
