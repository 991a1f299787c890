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

#define DOCKERFILE                             \
	{                                      \
		"Dockerfile", 20, 20, 0, false \
	}

/* Entries in, the text of the refusal out ("" if there is none). */
static const struct zip_case {
	struct zip_entry entries[4];
	const char *code, *text;
} cases[] = {
	{ { DOCKERFILE }, NULL, "" },
	{ { { "./Dockerfile", 1, 1, 0, false },
	    { "a/", 0, 0, 0, false },
	    { "a/b", 1, 1, 0, false } },
	  NULL,
	  "" },
	{ { DOCKERFILE, { "a/", 0, 0, 0, false }, { "a/", 0, 0, 0, false } }, NULL, "" },
	{ { DOCKERFILE, { "..a/...", 1, 1, 0, false } }, NULL, "" },
	{ { { "dir/Dockerfile", 1, 1, 0, false } },
	  ZIP_CODE_NO_DOCKERFILE,
	  "Dockerfile at its root" },
	{ { { "dockerfile", 1, 1, 0, false } }, ZIP_CODE_NO_DOCKERFILE, "Dockerfile at its root" },
	{ { { "Dockerfile", 3, 3, S_IFLNK | 0777, false } }, ZIP_CODE_NO_DOCKERFILE, "Dockerfile" },
	{ { DOCKERFILE, { "../x", 1, 1, 0, false } }, ZIP_CODE_INVALID, "leads out" },
	{ { DOCKERFILE, { "a/../../x", 1, 1, 0, false } }, ZIP_CODE_INVALID, "leads out" },
	{ { DOCKERFILE, { "a/..", 1, 1, 0, false } }, ZIP_CODE_INVALID, "leads out" },
	{ { DOCKERFILE, { "/etc/passwd", 1, 1, 0, false } }, ZIP_CODE_INVALID, "is absolute" },
	{ { DOCKERFILE, { "a\nb", 1, 1, 0, false } }, ZIP_CODE_INVALID, "control character" },
	{ { DOCKERFILE, { "", 1, 1, 0, false } }, ZIP_CODE_INVALID, "without a name" },
	{ { DOCKERFILE, { "null", 0, 0, S_IFCHR | 0666, false } },
	  ZIP_CODE_INVALID,
	  "'null' is neither" },
	{ { DOCKERFILE, { "pipe", 0, 0, S_IFIFO | 0666, false } },
	  ZIP_CODE_INVALID,
	  "'pipe' is neither" },
	{ { DOCKERFILE, { "d", 9, 9, S_IFDIR | 0755, false } }, ZIP_CODE_INVALID, "with data" },
	{ { DOCKERFILE, { "l", 0, 0, S_IFLNK | 0777, false } },
	  ZIP_CODE_INVALID,
	  "malformed link" },
	{ { DOCKERFILE, DOCKERFILE }, NULL, "" },
	{ { DOCKERFILE, { "./Dockerfile", 1, 1, S_IFLNK | 0777, false } },
	  ZIP_CODE_NO_DOCKERFILE,
	  "Dockerfile" },
	{ { DOCKERFILE,
	    { "a", 1, 1, 0, false },
	    { "a/", 0, 0, 0, false },
	    { "a/b", 1, 1, 0, false } },
	  NULL,
	  "" },
	{ { DOCKERFILE,
	    { "a/", 0, 0, 0, false },
	    { "a", 1, 1, 0, false },
	    { "a/b", 1, 1, 0, false } },
	  ZIP_CODE_INVALID,
	  "'a' is no directory" },
	{ { DOCKERFILE,
	    { "/a", 1, 1, 0, false },
	    { "../b", 1, 1, 0, false },
	    { "c", 0, 0, S_IFIFO, false } },
	  ZIP_CODE_INVALID,
	  "'/a' is absolute; '../b' leads out of the archive; 'c' is neither" },
	{ { DOCKERFILE, { "a\\b", 1, 1, 0, true }, { "a/c", 1, 1, 0, true } }, NULL, "" },
	{ { DOCKERFILE, { "..\\b", 1, 1, 0, true } }, ZIP_CODE_INVALID, "leads out" },
	{ { DOCKERFILE, { "\\b", 1, 1, 0, true } }, ZIP_CODE_INVALID, "is absolute" },
	{ { DOCKERFILE, { "..\\b", 1, 1, 0, false } }, NULL, "" }, /* a name like others there */
	{ { DOCKERFILE, { "l", 4, 4, S_IFLNK | 0777, false }, { "l/x", 1, 1, 0, false } },
	  ZIP_CODE_INVALID,
	  "'l' is no directory, but has entries below it" },
	{ { DOCKERFILE, { "big", LIMIT_ZIP_UNPACKED + 1, 9, 0, false } },
	  ZIP_CODE_INVALID,
	  "4 GiB" },
	{ { DOCKERFILE,
	    { "a", LIMIT_ZIP_UNPACKED - 8, 1, 0, false },
	    { "b", UINT64_MAX, 1, 0, false } },
	  ZIP_CODE_INVALID,
	  "4 GiB" },
	{ { DOCKERFILE, { "bomb", 1 * GIB, 1 * MIB, 0, false } }, ZIP_CODE_INVALID, "200 times" },
	{ { DOCKERFILE, { "dense", 60 * MIB, 1000, 0, false } }, NULL, "" },
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
		{ { "a", 1, 1, 0, false }, "a", ZIP_KIND_FILE, 0644 },
		{ { "b/", 0, 0, 0, false }, "b", ZIP_KIND_DIR, 0755 },
		{ { "c", 1, 1, S_IFREG, false }, "c", ZIP_KIND_FILE, 0644 },
		{ { ".//d", 1, 1, S_IFREG | 04755, false }, "d", ZIP_KIND_FILE, 0755 },
		{ { "e", 0, 0, S_IFDIR | 0500, false }, "e", ZIP_KIND_DIR, 0700 },
		{ { "f", 1, 1, S_IFREG | 0111, false }, "f", ZIP_KIND_FILE, 0511 },
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

static void test_a_link_may_lead_anywhere(void **unused)
{
	static const struct {
		const char *target;
		int rc;
	} links[] = {
		{ "a", 0 },           { "./a//b", 0 }, { "../../..", 0 },
		{ "/etc/passwd", 0 }, { "a/..", 0 },   { "", -1 },
	};
	char longest[4097];
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (zip_policy_link("l", links[i].target, &e) != links[i].rc)
			fail_msg("%s", links[i].target);
	memset(longest, 'x', 4096);
	longest[4096] = '\0';
	assert_int_equal(zip_policy_link("l", longest, &e), -1);
	longest[4095] = '\0';
	assert_int_equal(zip_policy_link("l", longest, &e), 0);
}

static void test_of_entries_with_one_name_the_last_is_kept(void **unused)
{
	static const struct zip_entry entries[] = {
		DOCKERFILE,
		{ "a", 1, 1, 0, false },
		{ "./a", 2, 2, 0, false },
		{ "b", 1, 1, 0, false },
		{ "a", 3, 3, 0, false },
	};
	static const bool kept[] = { true, false, false, true, true };
	struct zip_policy *p = zip_policy_new();
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		struct zip_plan plan;

		assert_int_equal(zip_policy_add(p, &entries[i], &plan, &e), 0);
	}
	assert_int_equal(zip_policy_end(p, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		assert_int_equal(zip_policy_keeps(p, i), kept[i]);
	zip_policy_free(p);
}

static void test_backslashes_of_windows_are_slashes(void **unused)
{
	static const struct {
		struct zip_entry entry;
		const char *path;
		enum zip_kind kind;
	} names[] = {
		{ { "a\\b", 1, 1, 0, true }, "a/b", ZIP_KIND_FILE },
		{ { "a\\", 0, 0, 0, true }, "a", ZIP_KIND_DIR },
		{ { "a/b\\c", 1, 1, 0, true }, "a/b\\c", ZIP_KIND_FILE },
		{ { "a\\b", 1, 1, 0, false }, "a\\b", ZIP_KIND_FILE },
	};
	struct zip_policy *p = zip_policy_new();

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct zip_plan plan;
		struct err e;

		assert_int_equal(zip_policy_add(p, &names[i].entry, &plan, &e), 0);
		assert_string_equal(plan.path, names[i].path);
		assert_int_equal(plan.kind, names[i].kind);
	}
	zip_policy_free(p);
}

/* Adds the entry to an archive of its own. */
static int judge(const char *name)
{
	static const struct zip_entry dockerfile = DOCKERFILE;
	struct zip_policy *p = zip_policy_new();
	struct zip_plan plan;
	struct err e;
	int rc = zip_policy_add(p, &dockerfile, &plan, &e);

	if (!rc)
		rc = zip_policy_add(p, &(struct zip_entry){ name, 1, 1, 0, false }, &plan, &e);
	if (!rc)
		rc = zip_policy_end(p, &e);
	zip_policy_free(p);
	return rc;
}

static void test_a_name_over_the_limits_is_refused(void **unused)
{
	char name[2 * LIMIT_ZIP_NAME];

	(void)unused;
	memset(name, 'x', sizeof(name));
	name[256] = '\0';
	assert_int_equal(judge(name), -1);
	name[255] = '\0';
	assert_int_equal(judge(name), 0);
	for (size_t i = 0; i < sizeof(name) - 1; i++)
		name[i] = i % 2 ? '/' : 'x';
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(judge(name), -1);
	name[LIMIT_ZIP_DEPTH * 2 + 1] = '\0';
	assert_int_equal(judge(name), -1);
	name[LIMIT_ZIP_DEPTH * 2 - 1] = '\0';
	assert_int_equal(judge(name), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_archive_is_taken_or_refused_with_a_reason),
		cmocka_unit_test(test_modes_are_kept_without_setuid_and_zero_is_a_plain_file),
		cmocka_unit_test(test_a_link_may_lead_anywhere),
		cmocka_unit_test(test_of_entries_with_one_name_the_last_is_kept),
		cmocka_unit_test(test_backslashes_of_windows_are_slashes),
		cmocka_unit_test(test_a_name_over_the_limits_is_refused),
	};

	return cmocka_run_group_tests_name("wire/zip", tests, NULL, NULL);
}
