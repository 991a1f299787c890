/* The image role asks for an object and gets a read-only descriptor, or S3's own code. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "ipc/object.h"
#include "objects/artifact.h"
#include "objects/draft.h"
#include "objects/load.h"
#include "objects/object.h"
#include "objects/record.h"
#include "wire/sigv4.h"

#define OURS "111111111111"

static struct store store;
static uv_loop_t loop;

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
	meta = object_make(key, &d, "etag-of-it", headers, &sum);
	json = json_dumps(meta, 0);
	sha256_hex(key, strlen(key), name);
	assert_int_equal(record_put(b->meta, name, json, &unsure), 0);
	draft_keep(&d);
	old = bucket_insert(b, object_of(meta));
	assert_null(old);
	free(json);
	json_decref(meta);
	json_decref(headers);
}

static struct ipc_msg *ask_as(int sock, const char *account, const char *bucket, const char *key)
{
	static struct ipc_msg m;
	const struct ipc_head head = { OBJECT_GET, sizeof(struct object_get), 77 };
	struct object_get g = { 0 };
	int rc = -EAGAIN;

	memcpy(g.bucket, bucket, strlen(bucket));
	memcpy(g.key, key, strlen(key));
	memcpy(g.account, account, strlen(account));
	assert_int_equal(ipc_send(sock, &head, &g, NULL, 0), 0);
	while (rc == -EAGAIN) { /* the test's own time limit ends it */
		uv_run(&loop, UV_RUN_ONCE);
		rc = ipc_recv(sock, &m, object_rows, OBJECT_NUM_TYPES);
	}
	assert_int_equal(rc, 1);
	assert_int_equal(m.head.tag, 77);
	return &m;
}

static struct ipc_msg *ask(int sock, const char *bucket, const char *key)
{
	return ask_as(sock, OURS, bucket, key);
}

static void refused(int sock, const char *bucket, const char *key, const char *code)
{
	const struct ipc_msg *m = ask(sock, bucket, key);

	assert_int_equal(m->head.type, OBJECT_FAULT);
	assert_string_equal(((const struct object_fault *)(const void *)m->body)->code, code);
}

static void test_an_object_is_handed_over_to_be_read_alone(void **unused)
{
	char root[] = "/tmp/doze-test-artifact-XXXXXX", text[8] = "", longest[64];
	const struct object_found *found;
	struct bucket *b;
	struct ipc_msg *m;
	struct err e;
	int pair[2], fd;
	const struct ipc_head head = { OBJECT_GET, sizeof(struct object_get), 78 };
	const struct object_get g = { .bucket = "apps", .key = "dir/app.zip", .account = OURS };

	(void)unused;
	assert_non_null(mkdtemp(root));
	assert_int_equal(uv_loop_init(&loop), 0);
	store_open(&store, &loop, open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	assert_int_equal(load_store(&store, &e), 0);
	b = bucket_make(store.dir, "apps", OURS, 1, &e);
	assert_non_null(b);
	store_add(&store, b);
	put(b, "dir/app.zip", "bytes");
	assert_int_equal(ipc_pair(pair, &e), 0);
	assert_int_equal(artifact_serve(&loop, pair[0], &store, &e), 0);

	m = ask(pair[1], "apps", "dir/app.zip");
	assert_int_equal(m->head.type, OBJECT_FOUND);
	found = (const void *)m->body;
	assert_int_equal(found->size, 5);
	assert_string_equal(found->etag, "etag-of-it");
	fd = ipc_msg_take_fd(m, 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text)), 5);
	assert_string_equal(text, "bytes");
	close(fd);

	refused(pair[1], "apps", "app.zip", "NoSuchKey");
	refused(pair[1], "apps", "../apps/dir/app.zip", "NoSuchKey");
	refused(pair[1], "other", "dir/app.zip", "NoSuchBucket");
	refused(pair[1], "..", "x", "NoSuchBucket");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[63] = '\0';
	refused(pair[1], longest, "x", "NoSuchBucket");

	m = ask_as(pair[1], "222222222222", "apps", "dir/app.zip");
	assert_int_equal(m->head.type, OBJECT_FAULT);
	assert_string_equal(((const struct object_fault *)(const void *)m->body)->code,
			    "AccessDenied");

	/* The other side goes, with a question still open: what served it goes too. */
	assert_int_equal(ipc_send(pair[1], &head, &g, NULL, 0), 0);
	close(pair[1]);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	store_close(&store);
	assert_int_equal(io_remove_tree(AT_FDCWD, root), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_object_is_handed_over_to_be_read_alone),
	};

	return cmocka_run_group_tests_name("objects/artifact", tests, NULL, NULL);
}
