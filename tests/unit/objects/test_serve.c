/* Requests on a healthy disk, and on one that is stuck: who does not need it is answered. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "disk.h"
#include "rig.h"

#define PUTS  64
#define LARGE (384 * KIB) /* several writes */
#define HUGE  (2 * MIB)   /* more than waits outside of the client */

static struct rig rig;

static int set_up(void **unused)
{
	(void)unused;
	rig_open(&rig);
	assert_int_equal(rig_ask(&rig, "PUT", "/apps", "", "", NULL), 200);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	rig_close(&rig);
	return 0;
}

static void put(const char *target, const char *body)
{
	assert_int_equal(rig_ask(&rig, "PUT", target, "", body, NULL), 200);
}

static void assert_reads(const char *target, const char *want)
{
	char body[4096];

	assert_int_equal(rig_ask(&rig, "GET", target, "", "", body), 200);
	assert_string_equal(body, want);
}

static void begin_puts(struct ask *puts[PUTS], size_t size)
{
	char target[32];

	for (size_t i = 0; i < PUTS; i++) {
		snprintf(target, sizeof(target), "/apps/put-%02zu", i);
		puts[i] = ask_begin(&rig, "PUT", target, "", NULL, size);
	}
}

/* The clients send until nothing more is taken. */
struct sending {
	struct ask **puts;
	size_t left;
	int still; /* turns in which nothing was taken */
};

static bool nothing_more_is_taken(void *arg)
{
	struct sending *s = arg;
	size_t left = 0;

	for (size_t i = 0; i < PUTS; i++) {
		ask_turn(s->puts[i]);
		left += ask_left(s->puts[i]);
	}
	s->still = left == s->left ? s->still + 1 : 0;
	s->left = left;
	return s->still > 50 && disk_held();
}

/* All are under way, and none gets further. */
static void stick_puts(struct ask *puts[PUTS], size_t size, enum disk_call call)
{
	struct sending s = { puts, 0, 0 };

	disk_hold(call);
	begin_puts(puts, size);
	rig_until(&rig, nothing_more_is_taken, &s);
}

static void finish_puts(struct ask *puts[PUTS], size_t size)
{
	char target[32];

	disk_release();
	for (size_t i = 0; i < PUTS; i++) {
		assert_int_equal(ask_wait(puts[i]), 200);
		ask_free(puts[i]);
	}
	for (size_t i = 0; i < PUTS; i++) {
		struct ask *get;

		snprintf(target, sizeof(target), "/apps/put-%02zu", i);
		get = ask_begin(&rig, "GET", target, "", "", 0);
		assert_int_equal(ask_wait(get), 200);
		assert_int_equal(get->body.size, size);
		ask_free(get);
	}
}

static void test_an_object_is_put_read_listed_copied_and_deleted(void **unused)
{
	char body[4096];

	(void)unused;
	put("/apps/dir/a", "one");
	assert_reads("/apps/dir/a", "one");
	put("/apps/dir/a", "two");
	assert_reads("/apps/dir/a", "two");
	assert_int_equal(rig_ask(&rig, "HEAD", "/apps/dir/a", "", "", body), 200);
	assert_string_equal(body, "");
	assert_int_equal(rig_ask(&rig, "GET", "/apps/dir/a", "Range: bytes=1-\r\n", "", body), 206);
	assert_string_equal(body, "wo");
	assert_int_equal(
		rig_ask(&rig, "PUT", "/apps/b", "x-amz-copy-source: /apps/dir/a\r\n", "", NULL),
		200);
	assert_reads("/apps/b", "two");
	assert_int_equal(rig_ask(&rig, "GET", "/apps?list-type=2", "", "", body), 200);
	assert_non_null(strstr(body, "<KeyCount>2</KeyCount>"));
	assert_int_equal(rig_ask(&rig, "DELETE", "/apps/b", "", "", NULL), 204);
	assert_int_equal(rig_ask(&rig, "DELETE", "/apps/b", "", "", NULL), 204);
	assert_int_equal(rig_ask(&rig, "GET", "/apps/b", "", "", NULL), 404);
	assert_int_equal(rig_ask(&rig, "DELETE", "/apps", "", "", NULL), 409);
	assert_int_equal(rig_ask(&rig, "POST", "/apps?delete", "",
				 "<Delete><Object><Key>dir/a</Key></Object>"
				 "<Object><Key>none</Key></Object></Delete>",
				 body),
			 200);
	assert_non_null(strstr(body, "<Deleted><Key>none</Key></Deleted>"));
	assert_int_equal(rig_ask(&rig, "DELETE", "/apps", "", "", NULL), 204);
	assert_int_equal(rig_ask(&rig, "GET", "/apps", "", "", NULL), 404);
}

static void test_a_large_object_comes_back_byte_by_byte(void **unused)
{
	struct ask *ask = ask_begin(&rig, "PUT", "/apps/large", "", NULL, LARGE);
	char etag[96];

	(void)unused;
	for (size_t i = 0; i < LARGE; i++) /* the body lies at the end */
		ask->out.data[ask->out.size - LARGE + i] = (uint8_t)(i ^ (i >> 8) ^ (i >> 16));
	assert_int_equal(ask_wait(ask), 200);
	memcpy(etag, ask->etag, sizeof(etag));
	ask_free(ask);
	ask = ask_begin(&rig, "GET", "/apps/large", "", "", 0);
	assert_int_equal(ask_wait(ask), 200);
	assert_int_equal(ask->body.size, LARGE);
	for (size_t i = 0; i < LARGE; i++)
		assert_int_equal(ask->body.data[i], (uint8_t)(i ^ (i >> 8) ^ (i >> 16)));
	assert_string_equal(ask->etag, etag);
	ask_free(ask);
}

static void test_writes_that_are_stuck_keep_nobody_else_waiting(void **unused)
{
	struct ask *puts[PUTS];
	char body[4096];

	(void)unused;
	put("/apps/there", "text");
	put("/apps/gone", "text");
	stick_puts(puts, LARGE, DISK_WRITE);
	for (int i = 0; i < 10; i++) {
		assert_reads("/apps/there", "text");
		assert_int_equal(rig_ask(&rig, "HEAD", "/apps/there", "", "", NULL), 200);
		assert_int_equal(rig_ask(&rig, "GET", "/apps?list-type=2", "", "", body), 200);
		assert_non_null(strstr(body, "<KeyCount>2</KeyCount>"));
	}
	assert_int_equal(rig_ask(&rig, "DELETE", "/apps/gone", "", "", NULL), 204);
	assert_int_equal(rig_ask(&rig, "GET", "/apps/gone", "", "", NULL), 404);
	finish_puts(puts, LARGE);
}

static void test_a_small_object_is_put_while_large_ones_are_stuck(void **unused)
{
	struct ask *puts[PUTS];

	(void)unused;
	stick_puts(puts, LARGE, DISK_WRITE);
	disk_hold_no_more();
	put("/apps/small", "text");
	assert_reads("/apps/small", "text");
	finish_puts(puts, LARGE);
}

static void test_writers_of_one_key_leave_one_object_and_its_bytes(void **unused)
{
	static const char text[PUTS + 1] = "................................"
					   "................................";
	char listed[4096], again[4096], body[4096], size[64];
	struct ask *puts[PUTS];

	(void)unused;
	for (size_t i = 0; i < PUTS; i++)
		puts[i] = ask_begin(&rig, "PUT", "/apps/k", "", text, i + 1);
	for (size_t i = 0; i < PUTS; i++) {
		assert_int_equal(ask_wait(puts[i]), 200);
		ask_free(puts[i]);
	}
	rig_settle(&rig);
	assert_int_equal(rig_count(&rig, "apps/data"), 1);
	assert_int_equal(rig_ask(&rig, "GET", "/apps/k", "", "", body), 200);
	snprintf(size, sizeof(size), "<Size>%zu</Size>", strlen(body));
	assert_int_equal(rig_ask(&rig, "GET", "/apps", "", "", listed), 200);
	assert_non_null(strstr(listed, size));
	rig_restart(&rig);
	assert_int_equal(rig_ask(&rig, "GET", "/apps", "", "", again), 200);
	assert_string_equal(listed, again);
	assert_reads("/apps/k", body);
}

static void test_syncs_that_are_stuck_keep_no_reader_waiting(void **unused)
{
	struct ask *puts[PUTS];
	char body[4096];

	(void)unused;
	put("/apps/there", "text");
	stick_puts(puts, 10, DISK_SYNC);
	for (int i = 0; i < 10; i++) {
		assert_reads("/apps/there", "text");
		assert_int_equal(rig_ask(&rig, "GET", "/apps?list-type=2", "", "", body), 200);
		assert_non_null(strstr(body, "<KeyCount>1</KeyCount>"));
	}
	finish_puts(puts, 10);
}

static void test_a_body_waits_in_the_client_while_the_disk_is_stuck(void **unused)
{
	struct ask *puts[PUTS];

	(void)unused;
	stick_puts(puts, HUGE, DISK_WRITE);
	for (size_t i = 0; i < PUTS; i++)
		assert_true(HUGE - ask_left(puts[i]) < 1 * MIB);
	for (size_t i = 0; i < PUTS; i++)
		ask_free(puts[i]);
	disk_release();
}

static void test_clients_that_go_while_the_disk_is_stuck_leave_nothing(void **unused)
{
	struct ask *puts[PUTS];

	(void)unused;
	stick_puts(puts, HUGE, DISK_WRITE);
	for (size_t i = 0; i < PUTS; i++)
		ask_free(puts[i]);
	disk_release();
	rig_settle(&rig);
	assert_int_equal(rig_count(&rig, "apps/data"), 0);
	assert_int_equal(rig_count(&rig, "apps/meta"), 0);
	assert_int_equal(rig_ask(&rig, "DELETE", "/apps", "", "", NULL), 204); /* nothing is busy */
}

static void test_a_full_disk_ends_an_upload_before_its_body_is_whole(void **unused)
{
	struct ask *put = ask_begin(&rig, "PUT", "/apps/huge", "", NULL, HUGE);

	(void)unused;
	disk_fail(3, ENOSPC, 1);
	assert_int_equal(ask_wait(put), 507);
	disk_fail(0, 0, 0);
	assert_true(ask_left(put) > 0);
	ask_free(put);
	rig_settle(&rig);
	assert_int_equal(rig_count(&rig, "apps/data"), 0);
	assert_int_equal(rig_ask(&rig, "GET", "/apps/huge", "", "", NULL), 404);
}

static void test_of_writers_with_if_none_match_one_wins(void **unused)
{
	struct ask *puts[PUTS];
	unsigned won = 0;

	(void)unused;
	for (size_t i = 0; i < PUTS; i++)
		puts[i] = ask_begin(&rig, "PUT", "/apps/lock", "If-None-Match: *\r\n", "x", 1);
	for (size_t i = 0; i < PUTS; i++) {
		unsigned status = ask_wait(puts[i]);

		won += status == 200;
		assert_true(status == 200 || status == 412);
		ask_free(puts[i]);
	}
	assert_int_equal(won, 1);
	rig_settle(&rig);
	assert_int_equal(rig_count(&rig, "apps/data"), 1);
}

static void test_readers_of_a_key_that_is_replaced_get_one_object_whole(void **unused)
{
	char text[2] = "a", body[4096];

	(void)unused;
	put("/apps/k", "a");
	for (int i = 0; i < 100; i++) {
		struct ask *one, *other;

		text[0] = (char)('a' + i % 26);
		one = ask_begin(&rig, "PUT", "/apps/k", "", text, 1);
		other = ask_begin(&rig, "GET", "/apps/k", "", "", 0);
		assert_int_equal(ask_wait(other), 200);
		assert_int_equal(other->body.size, 1);
		ask_free(other);
		assert_int_equal(ask_wait(one), 200);
		ask_free(one);
		assert_int_equal(rig_ask(&rig, "GET", "/apps/k", "", "", body), 200);
		assert_string_equal(body, text);
	}
	rig_settle(&rig);
	assert_int_equal(rig_count(&rig, "apps/data"), 1);
}

/* Such a record was never written by this program; a copy of it must be answered all the same. */
static void test_an_object_without_headers_in_its_record_is_copied(void **unused)
{
	char name[65], path[200];
	json_t *json;

	(void)unused;
	put("/apps/old", "text");
	sha256_hex("old", 3, name);
	snprintf(path, sizeof(path), "%s/apps/meta/%s", rig.root, name);
	json = json_load_file(path, 0, NULL);
	assert_non_null(json);
	json_object_del(json, "headers");
	assert_int_equal(json_dump_file(json, path, JSON_COMPACT), 0);
	json_decref(json);
	assert_reads("/apps/old", "text");
	assert_int_equal(
		rig_ask(&rig, "PUT", "/apps/new", "x-amz-copy-source: apps/old\r\n", "", NULL),
		200);
	assert_reads("/apps/new", "text");
}

static void test_an_upload_in_parts_becomes_one_object(void **unused)
{
	char body[4096], id[UUID_SIZE], target[200], text[600];
	struct ask *parts[2];

	(void)unused;
	assert_int_equal(rig_ask(&rig, "POST", "/apps/whole?uploads", "", "", body), 200);
	snprintf(id, sizeof(id), "%s", strstr(body, "<UploadId>") + strlen("<UploadId>"));
	for (int i = 0; i < 2; i++) {
		snprintf(target, sizeof(target), "/apps/whole?partNumber=%d&uploadId=%s", i + 1,
			 id);
		parts[i] = ask_begin(&rig, "PUT", target, "", i ? "two" : "one", 3);
		assert_int_equal(ask_wait(parts[i]), 200);
	}
	snprintf(text, sizeof(text),
		 "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>%s</ETag></Part>"
		 "<Part><PartNumber>2</PartNumber><ETag>%s</ETag></Part></CompleteMultipartUpload>",
		 parts[0]->etag, parts[1]->etag);
	snprintf(target, sizeof(target), "/apps/whole?uploadId=%s", id);
	assert_int_equal(rig_ask(&rig, "POST", target, "", text, NULL), 200);
	ask_free(parts[0]);
	ask_free(parts[1]);
	assert_reads("/apps/whole", "onetwo");
	assert_int_equal(rig_ask(&rig, "GET", target, "", "", NULL), 404);
	rig_settle(&rig);
	assert_int_equal(rig_count(&rig, "apps/data"), 1);
	assert_int_equal(rig_count(&rig, "apps/uploads"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_an_object_is_put_read_listed_copied_and_deleted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_large_object_comes_back_byte_by_byte, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_writes_that_are_stuck_keep_nobody_else_waiting,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_small_object_is_put_while_large_ones_are_stuck, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_writers_of_one_key_leave_one_object_and_its_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_syncs_that_are_stuck_keep_no_reader_waiting,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_body_waits_in_the_client_while_the_disk_is_stuck, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_clients_that_go_while_the_disk_is_stuck_leave_nothing, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_full_disk_ends_an_upload_before_its_body_is_whole, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_of_writers_with_if_none_match_one_wins, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			test_an_object_without_headers_in_its_record_is_copied, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_an_upload_in_parts_becomes_one_object, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			test_readers_of_a_key_that_is_replaced_get_one_object_whole, set_up,
			tear_down),
	};

	disk_pool_size(store_threads());
	return cmocka_run_group_tests_name("objects/serve", tests, NULL, NULL);
}
