/* The store: what was committed is there after a reopen, a kill or an error of another. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/io.h"
#include "control/store/store.h"

struct fixture {
	char path[64];
	int dir;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	strcpy(f->path, "/tmp/doze-store-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return f->dir < 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fd_close(&f->dir);
	if (io_remove_tree(AT_FDCWD, f->path))
		return -1;
	free(f);
	return 0;
}

static struct store *open_store(int dir)
{
	struct err e;
	struct store *s = store_open(dir, &e);

	assert_non_null(s);
	return s;
}

struct outcome {
	int calls, rc, order;
	struct err err;
};

static int calls;

static void note(void *arg, int rc, const struct err *e)
{
	struct outcome *o = arg;

	o->calls++;
	o->rc = rc;
	o->order = ++calls;
	if (rc)
		o->err = *e;
}

static void wait_for(struct store *s, const struct outcome *o)
{
	while (!o->calls) {
		struct pollfd p = { .fd = store_wake_fd(s), .events = POLLIN };

		assert_int_equal(poll(&p, 1, 10000), 1);
		store_dispatch(s);
	}
}

static void put_image(struct store_txn *t, const char *id, const char *name)
{
	store_put_image(t, &(struct store_image){ .id = id,
						  .name = name,
						  .state = "CREATED",
						  .created_ms = 5,
						  .next_version = 2 });
}

static void put_microvm(struct store_txn *t, const char *id, const char *endpoint)
{
	store_put_microvm(t, &(struct store_microvm){ .id = id,
						      .endpoint = endpoint,
						      .image = "i1",
						      .version = 1,
						      .state = "PENDING",
						      .params = "{}" });
}

static void commit(struct store *s, struct store_txn *t)
{
	struct outcome o = { 0 };

	store_commit(t, note, &o);
	wait_for(s, &o);
	assert_int_equal(o.rc, 0);
}

struct seen {
	char text[512];
};

static void see(struct seen *seen, const char *word)
{
	strcat(seen->text, word);
	strcat(seen->text, " ");
}

static void see_image(void *arg, const struct store_image *row)
{
	assert_int_equal(row->created_ms, 5);
	assert_null(row->tags);
	see(arg, row->name);
}

static void see_version(void *arg, const struct store_version *row)
{
	see(arg, row->params);
}

static void see_build(void *arg, const struct store_build *row)
{
	see(arg, row->id);
}

static void see_microvm(void *arg, const struct store_microvm *row)
{
	see(arg, row->id);
	see(arg, row->state);
}

static void see_token(void *arg, const struct store_token *row)
{
	see(arg, row->token);
}

static void see_published(void *arg, const struct store_published *row)
{
	char text[64];

	snprintf(text, sizeof(text), "%lld/%s to %s:%lld", (long long)row->port, row->protocol,
		 row->microvm, (long long)row->target);
	see(arg, text);
}

static const struct store_loader loader = { see_image,   see_version, see_build,
					    see_microvm, see_token,   see_published };

static void assert_rows(int dir, const char *rows)
{
	struct store *s = open_store(dir);
	struct seen seen = { "" };
	struct err e;

	assert_int_equal(store_load(s, &loader, &seen, &e), 0);
	assert_string_equal(seen.text, rows);
	store_close(s);
}

static void test_rows_come_back_in_order_of_creation(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);

	put_image(t, "i2", "beta");
	put_image(t, "i1", "alpha");
	put_microvm(t, "m2", "e2");
	put_microvm(t, "m1", "e1");
	commit(s, t);
	t = store_begin(s);
	put_image(t, "i2", "gamma");
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "gamma alpha m2 PENDING m1 PENDING ");
}

static void put_published(struct store_txn *t, int64_t port, const char *microvm)
{
	store_put_published(t, &(struct store_published){ .port = port,
							  .microvm = microvm,
							  .protocol = "tcp",
							  .target = 6379,
							  .listen = "127.0.0.1",
							  .sources = "[]",
							  .created_ms = 1 });
}

static void test_a_published_port_is_one_row_until_it_is_given_back(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);

	put_published(t, 20001, "m1");
	put_published(t, 20000, "m2");
	put_published(t, 20001, "m3"); /* left by one that ended */
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "20000/tcp to m2:6379 20001/tcp to m3:6379 ");
	s = open_store(f->dir);
	t = store_begin(s);
	store_del_published(t, 20000);
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "20001/tcp to m3:6379 ");
}

static void test_a_store_of_the_first_format_gets_the_tables_of_today(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);
	char path[96];
	sqlite3 *db;

	put_image(t, "i1", "alpha");
	commit(s, t);
	store_close(s);
	snprintf(path, sizeof(path), "%s/doze.db", f->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "DROP TABLE published; PRAGMA user_version = 1", NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	s = open_store(f->dir);
	t = store_begin(s);
	put_published(t, 20000, "m1");
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "alpha 20000/tcp to m1:6379 ");
}

static void test_close_finishes_the_queue(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);

	for (int i = 0; i < 20; i++) {
		struct store_txn *t = store_begin(s);
		char id[16];

		snprintf(id, sizeof(id), "m%02d", i);
		put_microvm(t, id, id);
		store_commit(t, NULL, NULL);
	}
	store_drop(store_begin(s));
	store_close(s);
	s = open_store(f->dir);
	{
		struct seen seen = { "" };
		struct err e;

		assert_int_equal(store_load(s, &loader, &seen, &e), 0);
		assert_int_equal(strlen(seen.text), 20 * strlen("m00 PENDING "));
	}
	store_close(s);
}

static void test_an_image_takes_its_versions_and_builds_along(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);

	put_image(t, "i1", "alpha");
	for (int64_t n = 1; n <= 2; n++)
		store_put_version(t, &(struct store_version){ .image = "i1",
							      .version = n,
							      .state = "FAILED",
							      .status = "INACTIVE",
							      .params = n == 1 ? "one" : "two" });
	store_put_build(t, &(struct store_build){
				   .id = "b1", .image = "i1", .version = 1, .state = "FAILED" });
	store_put_build(t, &(struct store_build){
				   .id = "b2", .image = "i1", .version = 2, .state = "FAILED" });
	store_put_token(t, &(struct store_token){ "Run", "t1", "h", "{}", 100 });
	store_put_token(t, &(struct store_token){ "Run", "t2", "h", "{}", 200 });
	commit(s, t);
	t = store_begin(s);
	store_del_version(t, "i1", 1);
	store_del_tokens_before(t, 200);
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "alpha two b2 t2 ");
	s = open_store(f->dir);
	t = store_begin(s);
	store_del_image(t, "i1");
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "t2 ");
}

static void test_a_failed_transaction_leaves_the_others(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct outcome o[3] = { 0 };
	struct store_txn *t[3];

	calls = 0;
	for (int i = 0; i < 3; i++)
		t[i] = store_begin(s);
	put_microvm(t[0], "m1", "e1");
	put_microvm(t[1], "m2", "e2");
	put_microvm(t[1], "m3", "e1"); /* an endpoint is one microVM's */
	put_microvm(t[2], "m4", "e4");
	for (int i = 0; i < 3; i++)
		store_commit(t[i], note, &o[i]);
	for (int i = 0; i < 3; i++)
		wait_for(s, &o[i]);
	assert_int_equal(o[0].rc, 0);
	assert_int_equal(o[1].rc, -1);
	assert_non_null(strstr(o[1].err.text, "UNIQUE"));
	assert_int_equal(o[2].rc, 0);
	assert_int_equal(o[0].order, 1);
	assert_int_equal(o[1].order, 2);
	assert_int_equal(o[2].order, 3);
	store_close(s);
	assert_rows(f->dir, "m1 PENDING m4 PENDING ");
}

static void copy_file(int from, int to, const char *name)
{
	autoclose int in = openat(from, name, O_RDONLY | O_CLOEXEC);
	autoclose int out = openat(to, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct buf b = { 0 };

	assert_true(in >= 0 && out >= 0);
	assert_int_equal(io_read_all(in, &b, 64 * MIB), 0);
	assert_int_equal(io_write_full(out, b.data, b.size), 0);
	buf_free(&b);
}

static void test_a_kill_loses_nothing_that_was_answered(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);
	autoclose int left = -1;

	put_microvm(t, "m1", "e1");
	commit(s, t);
	/* What a kill leaves: the database without a checkpoint, and its log. */
	assert_int_equal(io_mkdir(f->dir, "left", 0700), 0);
	left = openat(f->dir, "left", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	copy_file(f->dir, left, "doze.db");
	copy_file(f->dir, left, "doze.db-wal");
	store_close(s);
	assert_rows(left, "m1 PENDING ");
}

static void test_a_newer_format_is_refused_with_a_sentence(void **state)
{
	struct fixture *f = *state;
	char path[96];
	struct err e;
	sqlite3 *db;

	store_close(open_store(f->dir));
	snprintf(path, sizeof(path), "%s/doze.db", f->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), 0);
	sqlite3_close(db);
	assert_null(store_open(f->dir, &e));
	assert_non_null(strstr(e.text, "format 99"));
}

static void test_the_store_opens_where_its_shared_index_cannot_be_made(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, none;
	struct store *store;
	struct err e;

	store_close(open_store(f->dir));
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	store = store_open(f->dir, &e); /* no file can grow */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(store);
	store_close(store);
}

#define STORE_TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_rows_come_back_in_order_of_creation),
		STORE_TEST(test_a_published_port_is_one_row_until_it_is_given_back),
		STORE_TEST(test_a_store_of_the_first_format_gets_the_tables_of_today),
		STORE_TEST(test_close_finishes_the_queue),
		STORE_TEST(test_an_image_takes_its_versions_and_builds_along),
		STORE_TEST(test_a_failed_transaction_leaves_the_others),
		STORE_TEST(test_a_kill_loses_nothing_that_was_answered),
		STORE_TEST(test_the_store_opens_where_its_shared_index_cannot_be_made),
		STORE_TEST(test_a_newer_format_is_refused_with_a_sentence),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
