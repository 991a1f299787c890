/* Buckets and objects on disk: what is put is there after a restart, what was cut short is not. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "objects/draft.h"
#include "objects/object.h"
#include "objects/upload.h"

static char root[64];
static struct store store;

static void open_store(void)
{
	struct err e;

	assert_int_equal(store_open(&store, open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &e), 0);
}

static int set_up(void **unused)
{
	(void)unused;
	strcpy(root, "/tmp/doze-test-store-XXXXXX");
	assert_non_null(mkdtemp(root));
	open_store();
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	store_close(&store);
	assert_int_equal(io_remove_tree(AT_FDCWD, root), 0);
	return 0;
}

static void restart(void)
{
	store_close(&store);
	open_store();
}

static struct bucket *make(const char *name)
{
	struct err e;
	struct bucket *b = store_make(&store, name, &e);

	assert_non_null(b);
	return b;
}

static void put(struct bucket *b, const char *key, const char *text)
{
	const struct object_sum sum = { .whole = true };
	struct draft d;
	struct err e;
	json_t *headers = json_object(), *meta;

	assert_int_equal(draft_begin(&d, b, &e), 0);
	assert_int_equal(draft_write(&d, text, strlen(text), &e), 0);
	meta = object_make(key, &d, "etag", headers, &sum);
	assert_int_equal(bucket_put(b, meta, &e), 0);
	draft_keep(&d);
	json_decref(meta);
	json_decref(headers);
}

static const char *get(const struct bucket *b, const char *key)
{
	static char text[64];
	const struct object *o = bucket_find(b, key);
	autoclose int fd = o ? bucket_open_data(b, o->data) : -1;

	if (!o)
		return NULL;
	memset(text, 0, sizeof(text));
	assert_int_equal(read(fd, text, sizeof(text) - 1), (ssize_t)o->size);
	return text;
}

static int count_data(const char *bucket)
{
	char path[128], *argv[] = { path, NULL };
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s/data", root, bucket);
	assert_int_equal(stat(argv[0], &st), 0);
	return (int)st.st_nlink;
}

static bool has_data(const char *bucket, const char *data)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s/data/%s", root, bucket, data);
	return access(path, F_OK) == 0;
}

static void test_objects_are_there_after_a_restart_in_key_order(void **unused)
{
	static const char *const keys[] = {
		"b", "../../etc/passwd", "a/b", "a", "\xc3\xa9", "a b"
	};
	const struct bucket *b = make("apps");

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		put(store_bucket(&store, "apps"), keys[i], keys[i]);
	restart();
	b = store_bucket(&store, "apps");
	assert_non_null(b);
	assert_int_equal(b->n, ARRAY_SIZE(keys));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_string_equal(get(b, keys[i]), keys[i]);
	for (size_t i = 1; i < b->n; i++)
		assert_true(strcmp(b->objects[i - 1]->key, b->objects[i]->key) < 0);
	assert_int_equal(count_data("apps"), 2); /* no directory below: no key is a path */
}

static void test_a_replaced_object_leaves_no_bytes_behind(void **unused)
{
	struct bucket *b = make("apps");
	char old[UUID_SIZE];
	struct err e;

	(void)unused;
	put(b, "k", "one");
	memcpy(old, bucket_find(b, "k")->data, UUID_SIZE);
	put(b, "k", "two");
	assert_false(has_data("apps", old));
	assert_string_equal(get(b, "k"), "two");
	memcpy(old, bucket_find(b, "k")->data, UUID_SIZE);
	assert_int_equal(bucket_delete(b, "k", &e), 0);
	assert_int_equal(bucket_delete(b, "k", &e), 0);
	assert_false(has_data("apps", old));
	restart();
	assert_int_equal(store_bucket(&store, "apps")->n, 0);
}

static void test_a_killed_upload_is_cleared_at_start(void **unused)
{
	struct bucket *b = make("apps");
	struct draft d;
	struct err e;

	(void)unused;
	put(b, "kept", "x");
	assert_int_equal(draft_begin(&d, b, &e), 0);
	assert_int_equal(draft_write(&d, "half", 4, &e), 0);
	assert_true(has_data("apps", d.data));
	fd_close(&d.fd); /* the process is gone: nobody drops it */
	restart();
	assert_false(has_data("apps", d.data));
	assert_string_equal(get(store_bucket(&store, "apps"), "kept"), "x");
}

static void test_a_dropped_draft_leaves_nothing(void **unused)
{
	struct bucket *b = make("apps");
	struct draft d;
	struct err e;

	(void)unused;
	assert_int_equal(draft_begin(&d, b, &e), 0);
	assert_int_equal(store_drop(&store, b, &e), -1); /* it is busy */
	assert_int_equal(e.kind, ERR_CONFLICT);
	draft_drop(&d);
	draft_drop(&d);
	assert_false(has_data("apps", d.data));
	assert_int_equal(store_drop(&store, b, &e), 0);
	assert_null(store_bucket(&store, "apps"));
}

static void test_an_unreadable_json_clears_no_data(void **unused)
{
	struct bucket *b = make("apps");
	char path[200], data[UUID_SIZE];
	FILE *f;

	(void)unused;
	put(b, "k", "precious");
	memcpy(data, bucket_find(b, "k")->data, UUID_SIZE);
	snprintf(path, sizeof(path), "%s/apps/meta/%064d", root, 0);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("{broken", f);
	fclose(f);
	restart();
	assert_true(has_data("apps", data));
	assert_string_equal(get(store_bucket(&store, "apps"), "k"), "precious");
}

static void test_a_full_bucket_is_not_dropped(void **unused)
{
	struct bucket *b = make("apps");
	struct err e;

	(void)unused;
	put(b, "k", "x");
	assert_int_equal(store_drop(&store, b, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_int_equal(bucket_delete(b, "k", &e), 0);
	assert_int_equal(store_drop(&store, b, &e), 0);
	restart();
	assert_null(store_bucket(&store, "apps"));
}

static void test_uploads_and_their_parts_survive_a_restart(void **unused)
{
	struct bucket *b = make("apps");
	json_t *head = json_object();
	struct upload_part p = { .number = 7, .size = 4, .md5 = "md5", .sum = "sum" };
	struct upload *u;
	struct draft d;
	struct err e;
	char id[UUID_SIZE];

	(void)unused;
	u = upload_begin(b, "key", head, S3_SUM_CRC32, false, &e);
	json_decref(head);
	assert_non_null(u);
	memcpy(id, u->id, UUID_SIZE);
	assert_int_equal(draft_begin(&d, b, &e), 0);
	assert_int_equal(draft_write(&d, "part", 4, &e), 0);
	memcpy(p.data, d.data, UUID_SIZE);
	assert_int_equal(upload_put_part(b, u, &p, &e), 0);
	draft_keep(&d);
	restart();
	b = store_bucket(&store, "apps");
	u = upload_find(b, id);
	assert_non_null(u);
	assert_string_equal(u->key, "key");
	assert_int_equal(u->sum_kind, S3_SUM_CRC32);
	assert_non_null(upload_part(u, 7));
	assert_string_equal(upload_part(u, 7)->sum, "sum");
	assert_true(has_data("apps", p.data));
	upload_end(b, u);
	assert_false(has_data("apps", p.data));
	restart();
	assert_null(upload_find(store_bucket(&store, "apps"), id));
}

static void test_ranges_are_cut_to_the_file(void **unused)
{
	/* clang-format off */
	static const struct { const char *text; uint64_t size; int rc; uint64_t at, left; } rows[] = {
		{ "bytes=0-0", 10, 1, 0, 1 }, { "bytes=2-", 10, 1, 2, 8 }, { "bytes=-3", 10, 1, 7, 3 },
		{ "bytes=-30", 10, 1, 0, 10 }, { "bytes=5-99", 10, 1, 5, 5 }, { "bytes=10-", 10, -1, 0, 0 },
		{ "bytes=-0", 10, -1, 0, 0 }, { "bytes=0-", 0, -1, 0, 0 }, { "bytes=5-2", 10, 0, 0, 0 },
		{ "bytes=", 10, 0, 0, 0 }, { "bytes=-", 10, 0, 0, 0 }, { "bytes=a-b", 10, 0, 0, 0 },
		{ "bytes=0-1,3-4", 10, 0, 0, 0 }, { "lines=0-1", 10, 0, 0, 0 }, { "bytes=--1", 10, 0, 0, 0 },
		{ "bytes=99999999999999999999999-", 10, -1, 0, 0 }, { NULL, 10, 0, 0, 0 },
	};
	/* clang-format on */

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t at = 0, left = 0;
		int rc = object_range(rows[i].text, rows[i].size, &at, &left);

		assert_int_equal(rc, rows[i].rc);
		if (rc == 1) {
			assert_int_equal(at, rows[i].at);
			assert_int_equal(left, rows[i].left);
		}
	}
}

static void test_etags_are_found_in_lists(void **unused)
{
	(void)unused;
	assert_true(object_etag_in("\"a\"", "a"));
	assert_true(object_etag_in("\"b\", \"a\"", "a"));
	assert_true(object_etag_in("W/\"a\"", "a"));
	assert_true(object_etag_in("*", "a"));
	assert_true(object_etag_in("a", "a"));
	assert_false(object_etag_in("\"ab\"", "a"));
	assert_false(object_etag_in("", "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_objects_are_there_after_a_restart_in_key_order,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_replaced_object_leaves_no_bytes_behind,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_killed_upload_is_cleared_at_start, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_dropped_draft_leaves_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_an_unreadable_json_clears_no_data, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_full_bucket_is_not_dropped, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_uploads_and_their_parts_survive_a_restart,
						set_up, tear_down),
		cmocka_unit_test(test_ranges_are_cut_to_the_file),
		cmocka_unit_test(test_etags_are_found_in_lists),
	};

	return cmocka_run_group_tests_name("objects/store", tests, NULL, NULL);
}
