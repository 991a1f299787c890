/* What is served as metadata: texts, and folders that follow from their paths. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "guest/metadata_tree.h"

static struct metadata_tree tree;

static bool put(const char *const pairs[][2], size_t n)
{
	autobuf struct buf b = { 0 };
	struct agent_frame f;
	size_t used, mark = agent_begin(&b, AGENT_METADATA);

	for (size_t i = 0; i < n; i++) {
		agent_put_text(&b, FIELD_NAME, pairs[i][0]);
		agent_put_text(&b, FIELD_BYTES, pairs[i][1]);
	}
	agent_end(&b, mark);
	assert_int_equal(agent_frame_next(b.data, b.size, LIMIT_AGENT_TO_GUEST, &f, &used), 1);
	return metadata_tree_put(&tree, &f);
}

/* NULL: there is no such thing. */
static void assert_has(const char *path, const char *text)
{
	autobuf struct buf b = { 0 };

	assert_int_equal(metadata_tree_get(&tree, path, &b), text != NULL);
	if (text)
		assert_string_equal(buf_str(&b), text);
}

static const char *const full[][2] = {
	{ "meta-data/iam/security-credentials/execution_role", "{}" },
	{ "meta-data/instance-id", "microvm-1" },
	{ "meta-data/placement/availability-zone", "us-east-1a" },
	{ "meta-data/placement/region", "us-east-1" },
	{ "meta-data/tags/instance/Name", "" },
	{ "dynamic/instance-identity/document", "{\"a\":1}" },
};

static void a_text_is_found_and_a_folder_is_listed(void **state)
{
	(void)state;
	assert_true(put(full, ARRAY_SIZE(full)));
	assert_has("meta-data/instance-id", "microvm-1");
	assert_has("meta-data/tags/instance/Name", "");
	assert_has("meta-data/iam/security-credentials", "execution_role");
	assert_has("meta-data/placement", "availability-zone\nregion");
	assert_has("meta-data", "iam/\ninstance-id\nplacement/\ntags/");
	assert_has("", "meta-data/\ndynamic/");
	assert_has("meta-data/placement/reg", NULL);
	assert_has("meta-data/placement/region/x", NULL);
	assert_has("meta-dat", NULL);
}

static void what_is_put_replaces_all_and_leaves_nothing_in_memory(void **state)
{
	(void)state;
	assert_true(put(full, ARRAY_SIZE(full)));
	assert_true(put(full + 1, 1));
	assert_has("meta-data/iam/security-credentials", NULL);
	assert_has("meta-data/iam/security-credentials/execution_role", NULL);
	assert_has("meta-data", "instance-id");
	assert_null(memmem(tree.fields, sizeof(tree.fields), "security-credentials", 20));
	assert_true(put(NULL, 0));
	assert_has("", NULL);
}

static void a_broken_frame_leaves_nothing(void **state)
{
	const uint8_t broken[] = { FIELD_NAME, 0, 200, 0, 0, 0, 'a' };
	const struct agent_frame f = { .payload = broken, .size = sizeof(broken) };

	(void)state;
	assert_true(put(full, ARRAY_SIZE(full)));
	assert_false(metadata_tree_put(&tree, &f));
	assert_has("meta-data/instance-id", NULL);
}

static void what_is_too_large_leaves_nothing(void **state)
{
	static uint8_t large[METADATA_TREE + 6] = { FIELD_BYTES, 0 };
	const struct agent_frame f = { .payload = large, .size = sizeof(large) };

	(void)state;
	large[4] = METADATA_TREE >> 16;
	large[3] = METADATA_TREE >> 8 & 255;
	assert_true(put(full, ARRAY_SIZE(full)));
	assert_false(metadata_tree_put(&tree, &f));
	assert_has("meta-data/instance-id", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_found_and_a_folder_is_listed),
		cmocka_unit_test(what_is_put_replaces_all_and_leaves_nothing_in_memory),
		cmocka_unit_test(a_broken_frame_leaves_nothing),
		cmocka_unit_test(what_is_too_large_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
