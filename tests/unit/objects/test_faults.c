/* A disk that fails at each call of an operation in turn: the answer, what is read, what lies on
 * the disk, and what a restart finds agree, and nothing is half there. */

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

static struct rig rig;
static char upload[UUID_SIZE];   /* of /apps/parts, with the part "one" */
static char part_etag[48];       /* of that part */
static unsigned data, meta, ids; /* files, before the operation */

static unsigned ask(const char *method, const char *target, const char *headers, const char *body,
		    char to[4096])
{
	return rig_ask(&rig, method, target, headers, body, to);
}

static const char *with_upload(const char *target)
{
	static char text[200];

	snprintf(text, sizeof(text), "%suploadId=%s", target, upload);
	return text;
}

static void take_between(char *to, size_t size, const char *text, const char *from, const char *end)
{
	const char *begin = strstr(text, from), *stop;

	assert_non_null(begin);
	begin += strlen(from);
	stop = strstr(begin, end);
	assert_non_null(stop);
	snprintf(to, size, "%.*s", (int)(stop - begin), begin);
}

static void set_up(void)
{
	char body[4096];

	rig_open(&rig);
	assert_int_equal(ask("PUT", "/apps", "", "", NULL), 200);
	assert_int_equal(ask("PUT", "/empty", "", "", NULL), 200);
	assert_int_equal(ask("PUT", "/apps/old", "", "old", NULL), 200);
	assert_int_equal(ask("PUT", "/apps/other", "", "other", NULL), 200);
	assert_int_equal(ask("POST", "/apps/parts?uploads", "", "", body), 200);
	take_between(upload, sizeof(upload), body, "<UploadId>", "<");
	assert_int_equal(ask("PUT", with_upload("/apps/parts?partNumber=1&"), "", "one", NULL),
			 200);
	assert_int_equal(ask("GET", with_upload("/apps/parts?"), "", "", body), 200);
	take_between(part_etag, sizeof(part_etag), body, "<ETag>&quot;", "&quot;");
	rig_settle(&rig);
	data = rig_count(&rig, "apps/data");
	meta = rig_count(&rig, "apps/meta");
	ids = rig_count(&rig, "apps/uploads");
}

static void assert_object(const char *target, const char *want)
{
	char body[4096];
	unsigned status = ask("GET", target, "", "", body);

	assert_int_equal(status, want ? 200 : 404);
	if (want)
		assert_string_equal(body, want);
}

static void assert_part(const char *etag_of)
{
	char body[4096], etag[48];
	unsigned status = ask("GET", with_upload("/apps/parts?"), "", "", body);

	assert_int_equal(status, etag_of ? 200 : 404);
	if (!etag_of)
		return;
	take_between(etag, sizeof(etag), body, "<ETag>&quot;", "&quot;");
	assert_int_equal(!strcmp(etag, part_etag), !strcmp(etag_of, "one"));
}

static const char *complete_body(void)
{
	static char text[300];

	snprintf(text, sizeof(text),
		 "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>%s</ETag></Part>"
		 "</CompleteMultipartUpload>",
		 part_etag);
	return text;
}

static unsigned put_new(void)
{
	return ask("PUT", "/apps/new", "", "new", NULL);
}

static void put_new_holds(bool done)
{
	assert_object("/apps/new", done ? "new" : NULL);
}

static unsigned put_over(void)
{
	return ask("PUT", "/apps/old", "", "new", NULL);
}

static void put_over_holds(bool done)
{
	assert_object("/apps/old", done ? "new" : "old");
}

static unsigned copy_over(void)
{
	return ask("PUT", "/apps/old", "x-amz-copy-source: apps/other\r\n", "", NULL);
}

static void copy_over_holds(bool done)
{
	assert_object("/apps/old", done ? "other" : "old");
}

static unsigned delete_one(void)
{
	return ask("DELETE", "/apps/old", "", "", NULL);
}

static void delete_one_holds(bool done)
{
	assert_object("/apps/old", done ? NULL : "old");
}

/* Each key has a result of its own: of these two, the first is looked at. */
static unsigned delete_two(void)
{
	char body[4096];
	unsigned status = ask("POST", "/apps?delete", "",
			      "<Delete><Object><Key>old</Key></Object>"
			      "<Object><Key>none</Key></Object></Delete>",
			      body);

	if (!strstr(body, "<Error><Key>old</Key><Code>InternalError</Code>"))
		return status;
	return strstr(body, "No space left") ? 507 : 500;
}

static unsigned begin_upload(void)
{
	return ask("POST", "/apps/begun?uploads", "", "", NULL);
}

static void begin_upload_holds(bool done)
{
	char body[4096];

	assert_int_equal(ask("GET", "/apps?uploads", "", "", body), 200);
	assert_int_equal(strstr(body, "<Key>begun</Key>") != NULL, done);
}

static unsigned put_part(void)
{
	return ask("PUT", with_upload("/apps/parts?partNumber=1&"), "", "two", NULL);
}

static unsigned copy_part(void)
{
	return ask("PUT", with_upload("/apps/parts?partNumber=1&"),
		   "x-amz-copy-source: apps/other\r\n", "", NULL);
}

static void put_part_holds(bool done)
{
	assert_part(done ? "two" : "one");
}

static unsigned complete(void)
{
	return ask("POST", with_upload("/apps/parts?"), "", complete_body(), NULL);
}

static void complete_holds(bool done)
{
	assert_object("/apps/parts", done ? "one" : NULL);
	if (!done)
		assert_part("one");
}

static unsigned abort_upload(void)
{
	return ask("DELETE", with_upload("/apps/parts?"), "", "", NULL);
}

static void abort_upload_holds(bool done)
{
	assert_part(done ? NULL : "one");
}

static unsigned make_bucket(void)
{
	return ask("PUT", "/made", "", "", NULL);
}

static void make_bucket_holds(bool done)
{
	assert_int_equal(ask("HEAD", "/made", "", "", NULL), done ? 200 : 404);
}

static unsigned drop_bucket(void)
{
	return ask("DELETE", "/empty", "", "", NULL);
}

static void drop_bucket_holds(bool done)
{
	assert_int_equal(ask("HEAD", "/empty", "", "", NULL), done ? 404 : 200);
}

/* clang-format off */
static const struct row {
	const char *name;
	unsigned (*run)(void);
	void (*holds)(bool done); /* what is read, if it is done and if it is not */
	int data, meta, ids;      /* files that it adds */
} rows[] = {
	{ "put a new object",        put_new,      put_new_holds,       1,  1,  0 },
	{ "put over an object",      put_over,     put_over_holds,      0,  0,  0 },
	{ "copy over an object",     copy_over,    copy_over_holds,     0,  0,  0 },
	{ "delete an object",        delete_one,   delete_one_holds,   -1, -1,  0 },
	{ "delete objects",          delete_two,   delete_one_holds,   -1, -1,  0 },
	{ "begin an upload",         begin_upload, begin_upload_holds,  0,  0,  1 },
	{ "put a part",              put_part,     put_part_holds,      0,  0,  0 },
	{ "copy a part",             copy_part,    put_part_holds,      0,  0,  0 },
	{ "complete an upload",      complete,     complete_holds,      0,  1, -1 },
	{ "abort an upload",         abort_upload, abort_upload_holds, -1,  0, -1 },
	{ "make a bucket",           make_bucket,  make_bucket_holds,   0,  0,  0 },
	{ "drop a bucket",           drop_bucket,  drop_bucket_holds,   0,  0,  0 },
};
/* clang-format on */

static void assert_untouched(void)
{
	assert_object("/apps/other", "other");
}

static void assert_files(const struct row *row, bool done)
{
	/* A completed upload is erased after the answer.  If that fails, it stays, with its part.
	 */
	int stays = done && row->run == complete &&
		    ask("GET", with_upload("/apps/parts?"), "", "", NULL) == 200;

	if (stays)
		assert_part("one");
	rig_settle(&rig);
	assert_int_equal(rig_count(&rig, "apps/data"), (int)data + (done ? row->data : 0) + stays);
	assert_int_equal(rig_count(&rig, "apps/meta"), (int)meta + (done ? row->meta : 0));
	assert_int_equal(rig_count(&rig, "apps/uploads"), (int)ids + (done ? row->ids : 0) + stays);
}

/* False: the operation makes fewer calls. */
static bool fails_once(const struct row *row, unsigned n, int errnum)
{
	unsigned status, calls;
	bool done;

	set_up();
	print_message("%s, call %u\n", row->name, n);
	disk_fail(n, errnum, 0);
	status = row->run();
	rig_settle(&rig);
	calls = disk_calls();
	disk_fail(0, 0, 0);
	done = status / 100 == 2;
	if (!done && status != (errnum == ENOSPC ? 507u : 500u))
		fail_msg("%s: call %u: status %u", row->name, n, status);
	if (n == 1 && done)
		fail_msg("%s: the first call does not matter", row->name);
	row->holds(done);
	assert_untouched();
	assert_files(row, done);
	rig_restart(&rig);
	row->holds(done);
	assert_untouched();
	assert_files(row, done);
	rig_close(&rig);
	return calls >= n;
}

static void each_call_fails_once(int errnum)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned n = 1;

		while (fails_once(&rows[i], n, errnum))
			n++;
		assert_true(n > 2); /* the calls do come through here */
	}
}

static void test_what_fails_once_by_an_error_leaves_all_as_it_was(void **unused)
{
	(void)unused;
	each_call_fails_once(EIO);
}

static void test_what_fails_once_by_a_full_disk_leaves_all_as_it_was(void **unused)
{
	(void)unused;
	each_call_fails_once(ENOSPC);
}

/* The undoing fails too.  Nobody knows what a restart finds, but it is one of the two, whole. */
static bool fails_for_good(const struct row *row, unsigned n)
{
	unsigned status, calls;
	bool done;

	set_up();
	disk_fail(n, EIO, 1);
	status = row->run();
	rig_settle(&rig);
	calls = disk_calls();
	disk_fail(0, 0, 0);
	done = status / 100 == 2;
	rig_restart(&rig);
	if (done)
		row->holds(true);
	assert_untouched();
	if (!strcmp(row->name, "put over an object")) {
		char body[4096];

		assert_int_equal(ask("GET", "/apps/old", "", "", body), 200);
		assert_true(!strcmp(body, "new") || (!done && !strcmp(body, "old")));
	}
	rig_close(&rig);
	return calls >= n;
}

static void test_a_disk_that_fails_for_good_loses_no_object(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (unsigned n = 1; fails_for_good(&rows[i], n);)
			n++;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_fails_once_by_an_error_leaves_all_as_it_was),
		cmocka_unit_test(test_what_fails_once_by_a_full_disk_leaves_all_as_it_was),
		cmocka_unit_test(test_a_disk_that_fails_for_good_loses_no_object),
	};

	disk_pool_size(store_threads());
	return cmocka_run_group_tests_name("objects/faults", tests, NULL, NULL);
}
