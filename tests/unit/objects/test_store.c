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
#include "objects/discard.h"
#include "objects/draft.h"
#include "objects/load.h"
#include "objects/object.h"
#include "objects/record.h"
#include "objects/upload.h"
#include "wire/sigv4.h"

static char root[64];
static struct store store;
static uv_loop_t loop;

static void open_store(void)
{
	struct err e;

	store_open(&store, &loop, open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	assert_int_equal(load_store(&store, &e), 0);
}

static int set_up(void **unused)
{
	(void)unused;
	strcpy(root, "/tmp/doze-test-store-XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(uv_loop_init(&loop), 0);
	open_store();
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	store_close(&store);
	assert_int_equal(uv_loop_close(&loop), 0);
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
	struct bucket *b = bucket_make(store.dir, name, "111111111111", 1, &e);

	assert_non_null(b);
	store_add(&store, b);
	return b;
}

/* As a request does it, without the threads. */
static void write_draft(struct draft *d, struct bucket *b, const char *text)
{
	struct err e;

	draft_begin(d, b);
	assert_int_equal(draft_take(d, text, strlen(text), &e), 0);
	draft_change_over(d);
	assert_int_equal(draft_write(d), 0);
}

static void put(struct bucket *b, const char *key, const char *text)
{
	const struct object_sum sum = { .whole = true };
	json_t *headers = json_object(), *meta;
	struct object *old;
	char name[65], *json;
	struct draft d;
	bool unsure;

	write_draft(&d, b, text);
	assert_int_equal(draft_sync(&d), 0);
	meta = object_make(key, &d, "etag", headers, &sum);
	json = json_dumps(meta, 0);
	sha256_hex(key, strlen(key), name);
	assert_int_equal(record_put(b->meta, name, json, &unsure), 0);
	draft_keep(&d);
	old = bucket_insert(b, object_of(meta));
	if (old)
		discard_data(&store, b, old->data);
	object_free(old);
	free(json);
	json_decref(meta);
	json_decref(headers);
	uv_run(&loop, UV_RUN_DEFAULT);
}

static const char *get(const struct bucket *b, const char *key)
{
	static char text[64];
	const struct object *o = bucket_find(b, key);
	autoclose int fd = o ? io_open_below(b->data, o->data, O_RDONLY, 0) : -1;

	if (!o)
		return NULL;
	memset(text, 0, sizeof(text));
	assert_int_equal(read(fd, text, sizeof(text) - 1), (ssize_t)o->size);
	return text;
}

static void delete_object(struct bucket *b, const char *key)
{
	struct record_gone gone = { 0 };
	struct object *o;
	bool unsure;

	sha256_hex(key, strlen(key), gone.name);
	record_remove(b->meta, &gone, 1, &unsure);
	assert_int_equal(gone.rc, 0);
	o = bucket_remove(b, key);
	if (o)
		discard_data(&store, b, o->data);
	object_free(o);
	uv_run(&loop, UV_RUN_DEFAULT);
}

static void drop(struct bucket *b)
{
	struct err e;

	assert_true(bucket_may_drop(b));
	store_take_out(b);
	assert_int_equal(bucket_erase(store.dir, b, &e), 0);
	bucket_unref(b);
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

	(void)unused;
	put(b, "k", "one");
	memcpy(old, bucket_find(b, "k")->data, UUID_SIZE);
	put(b, "k", "two");
	assert_false(has_data("apps", old));
	assert_string_equal(get(b, "k"), "two");
	memcpy(old, bucket_find(b, "k")->data, UUID_SIZE);
	delete_object(b, "k");
	delete_object(b, "k");
	assert_false(has_data("apps", old));
	restart();
	assert_int_equal(store_bucket(&store, "apps")->n, 0);
}

static void test_a_killed_upload_is_cleared_at_start(void **unused)
{
	struct bucket *b = make("apps");
	struct draft d;

	(void)unused;
	put(b, "kept", "x");
	write_draft(&d, b, "half");
	assert_true(has_data("apps", d.data));
	fd_close(&d.fd);
	draft_keep(&d); /* the process is gone: nobody drops it */
	restart();
	assert_false(has_data("apps", d.data));
	assert_string_equal(get(store_bucket(&store, "apps"), "kept"), "x");
}

static void test_a_dropped_draft_leaves_nothing(void **unused)
{
	struct bucket *b = make("apps");
	struct draft d;

	(void)unused;
	write_draft(&d, b, "half");
	assert_false(bucket_may_drop(b)); /* it is busy */
	assert_true(has_data("apps", d.data));
	draft_drop(&store, &d);
	draft_drop(&store, &d);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_false(has_data("apps", d.data));
	drop(b);
	assert_null(store_bucket(&store, "apps"));
}

static void test_a_dropped_draft_keeps_no_reader_waiting(void **unused)
{
	struct bucket *b = make("apps");
	struct draft d;

	(void)unused;
	write_draft(&d, b, "half");
	draft_drop(&store, &d);
	assert_true(disk_lane_idle(&store.lanes[STORE_READS]));
	uv_run(&loop, UV_RUN_DEFAULT);
	drop(b);
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

	(void)unused;
	put(b, "k", "x");
	assert_false(bucket_may_drop(b));
	delete_object(b, "k");
	drop(b);
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
	bool unsure;
	char id[UUID_SIZE], *text;

	(void)unused;
	u = upload_new("key", head, S3_SUM_CRC32, false);
	json_decref(head);
	text = upload_text(u);
	assert_int_equal(upload_make(b->uploads, u, text), 0);
	free(text);
	upload_add(&b->multiparts, u);
	memcpy(id, u->id, UUID_SIZE);
	write_draft(&d, b, "part");
	assert_int_equal(draft_sync(&d), 0);
	memcpy(p.data, d.data, UUID_SIZE);
	text = upload_part_text(&p);
	assert_int_equal(upload_put_part(u, 7, text, &unsure), 0);
	free(text);
	draft_keep(&d);
	restart();
	b = store_bucket(&store, "apps");
	u = upload_find(&b->multiparts, id);
	assert_non_null(u);
	assert_string_equal(u->key, "key");
	assert_int_equal(u->sum_kind, S3_SUM_CRC32);
	assert_non_null(upload_part(u, 7));
	assert_string_equal(upload_part(u, 7)->sum, "sum");
	assert_true(has_data("apps", p.data));
	assert_int_equal(upload_erase(b->uploads, u), 0);
	restart(); /* a crash before the data file is discarded */
	assert_false(has_data("apps", p.data));
	assert_null(upload_find(&store_bucket(&store, "apps")->multiparts, id));
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
		cmocka_unit_test_setup_teardown(test_a_dropped_draft_keeps_no_reader_waiting,
						set_up, tear_down),
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
