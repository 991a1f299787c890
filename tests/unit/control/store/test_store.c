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

#define ACCOUNT "123456789012"

static struct store *try_store(int dir, struct err *e)
{
	return store_open(&(struct store_place){ .dir = dir, .account = ACCOUNT }, e);
}

static struct store *open_store(int dir)
{
	struct err e;
	struct store *s = try_store(dir, &e);

	if (!s)
		fail_msg("%s", e.text);
	return s;
}

/* A store knows the rows that it has loaded. */
static struct store *reopen_store(int dir)
{
	static const struct store_loader nobody = { 0 };
	struct store *s = open_store(dir);
	struct err e;

	assert_int_equal(store_load(s, &nobody, NULL, &e), 0);
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
						  .account = ACCOUNT,
						  .name = name,
						  .state = "CREATED",
						  .created_ms = 5,
						  .next_version = 2 });
}

static void put_microvm(struct store_txn *t, const char *id, const char *endpoint)
{
	store_put_microvm(t, &(struct store_microvm){ .id = id,
						      .account = ACCOUNT,
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
	assert_string_equal(row->account, ACCOUNT);
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
	assert_string_equal(row->account, ACCOUNT);
	see(arg, row->id);
	see(arg, row->state);
}

static void see_token(void *arg, const struct store_token *row)
{
	assert_string_equal(row->account, ACCOUNT);
	see(arg, row->token);
}

static void see_published(void *arg, const struct store_published *row)
{
	char text[64];

	snprintf(text, sizeof(text), "%lld/%s to %s:%lld", (long long)row->port, row->protocol,
		 row->microvm, (long long)row->target);
	see(arg, text);
}

static void see_account(void *arg, const struct store_account *row)
{
	see(arg, row->name);
}

static void see_access_key(void *arg, const struct store_access_key *row)
{
	see(arg, row->secret);
	assert_null(row->session);
	assert_int_equal(row->expires_ms, 9);
}

static void see_connector(void *arg, const struct store_connector *row)
{
	see(arg, row->name);
}

static void see_connector_version(void *arg, const struct store_connector_version *row)
{
	see(arg, row->params);
}

static void see_kms_key(void *arg, const struct store_kms_key *row)
{
	see(arg, row->alias);
}

static void see_log_group(void *arg, const struct store_log_group *row)
{
	see(arg, row->account);
	see(arg, row->name);
	assert_int_equal(row->retention_days, 30);
}

static const struct store_loader loader = {
	.image = see_image,
	.version = see_version,
	.build = see_build,
	.microvm = see_microvm,
	.token = see_token,
	.published = see_published,
	.account = see_account,
	.access_key = see_access_key,
	.connector = see_connector,
	.connector_version = see_connector_version,
	.kms_key = see_kms_key,
	.log_group = see_log_group,
};

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
	s = reopen_store(f->dir);
	t = store_begin(s);
	store_del_published(t, 20000);
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "20001/tcp to m3:6379 ");
}

/* What each format's doze wrote: the tables of its day. */
static const char *const formats[] = {
	"CREATE TABLE image (id TEXT PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL,"
	" created_ms INTEGER, updated_ms INTEGER, next_version INTEGER, latest_active INTEGER,"
	" latest_failed INTEGER, tags TEXT);"
	"CREATE TABLE version (image TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE,"
	" version INTEGER NOT NULL, state TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,"
	" created_ms INTEGER, updated_ms INTEGER, params TEXT, made TEXT,"
	" PRIMARY KEY (image, version));"
	"CREATE TABLE build (id TEXT PRIMARY KEY, image TEXT NOT NULL, version INTEGER NOT NULL,"
	" state TEXT NOT NULL, code TEXT, reason TEXT, created_ms INTEGER, updated_ms INTEGER,"
	" memory_bytes INTEGER, code_bytes INTEGER, disk_bytes INTEGER, FOREIGN KEY (image,"
	" version) REFERENCES version (image, version) ON DELETE CASCADE);"
	"CREATE INDEX build_version ON build (image, version);"
	"CREATE TABLE microvm (id TEXT PRIMARY KEY, endpoint TEXT NOT NULL UNIQUE,"
	" image TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT,"
	" machine TEXT, boot_id TEXT, save INTEGER, started_ms INTEGER, terminated_ms INTEGER,"
	" suspended_ms INTEGER, last_byte_ms INTEGER, params TEXT);"
	"CREATE TABLE token (op TEXT NOT NULL, token TEXT NOT NULL, params_hash TEXT,"
	" answer TEXT, created_ms INTEGER, PRIMARY KEY (op, token));"
	"CREATE INDEX token_created ON token (created_ms);",
	"CREATE TABLE published (port INTEGER PRIMARY KEY, microvm TEXT NOT NULL,"
	" protocol TEXT NOT NULL, target INTEGER NOT NULL, listen TEXT NOT NULL, sources TEXT,"
	" created_ms INTEGER);",
};

static void make_old_store(const struct fixture *f, size_t format)
{
	static const char *const rows[] = {
		"INSERT INTO image VALUES ('i1', 'alpha', 'CREATED', 5, 5, 2, 1, 0, NULL);"
		"INSERT INTO version VALUES ('i1', 1, 'SUCCESSFUL', 'ACTIVE', NULL, 5, 5, 'one',"
		" NULL);"
		"INSERT INTO build VALUES ('b1', 'i1', 1, 'SUCCESSFUL', NULL, NULL, 5, 5, 0, 0, 0);"
		"INSERT INTO microvm VALUES ('m1', 'e1', 'i1', 1, 'RUNNING', NULL, 'm-1', 'boot', "
		"0,"
		" 5, 0, 0, 0, '{}');"
		"INSERT INTO token VALUES ('Run', 't1', 'h', '{}', 5);",
		"INSERT INTO published VALUES (20000, 'm1', 'tcp', 6379, '127.0.0.1', '[]', 5);",
	};
	char path[96], number[64];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/doze.db", f->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	for (size_t i = 0; i < format; i++) {
		assert_int_equal(sqlite3_exec(db, formats[i], NULL, NULL, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, rows[i], NULL, NULL, NULL), SQLITE_OK);
	}
	snprintf(number, sizeof(number), "PRAGMA user_version = %zu", format);
	assert_int_equal(sqlite3_exec(db, number, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* Rows of every table, after those that an older doze wrote. */
static void put_new_tables(struct store_txn *t)
{
	put_published(t, 20001, "m1");
	store_put_account(t, &(struct store_account){ ACCOUNT, "main", "ACTIVE", 1, "{}" });
	store_put_access_key(t, &(struct store_access_key){ .id = "AKIA",
							    .account = ACCOUNT,
							    .secret = "secret",
							    .state = "ACTIVE",
							    .expires_ms = 9 });
	store_put_connector(t, &(struct store_connector){ .id = "c1",
							  .account = ACCOUNT,
							  .name = "net",
							  .state = "ACTIVE",
							  .version = 1 });
	store_put_connector_version(
		t, &(struct store_connector_version){ "c1", 1, "ACTIVE", 1, "v1" });
	store_put_kms_key(t, &(struct store_kms_key){ .id = "k1",
						      .account = ACCOUNT,
						      .alias = "alias/x",
						      .wrapped = "w",
						      .state = "ENABLED" });
	store_put_log_group(t, &(struct store_log_group){ ACCOUNT, "/aws/x", 30, 1, NULL });
}

#define NEW_TABLES "20001/tcp to m1:6379 main secret net v1 alias/x " ACCOUNT " /aws/x "

static void assert_migrates(const struct fixture *f, size_t format, const char *rows)
{
	struct store *s;
	struct store_txn *t;

	make_old_store(f, format);
	assert_rows(f->dir, rows);
	s = open_store(f->dir);
	t = store_begin(s);
	put_new_tables(t);
	store_put_token(t, &(struct store_token){ ACCOUNT, "Run", "t1", "h", "{}", 7 });
	commit(s, t);
	store_close(s);
}

static void test_a_store_of_the_first_format_gets_the_tables_of_today(void **state)
{
	struct fixture *f = *state;

	assert_migrates(f, 1, "alpha one b1 m1 RUNNING t1 ");
	assert_rows(f->dir, "alpha one b1 m1 RUNNING t1 " NEW_TABLES);
}

static void test_a_store_of_the_second_format_gets_the_tables_of_today(void **state)
{
	struct fixture *f = *state;

	assert_migrates(f, 2, "alpha one b1 m1 RUNNING t1 20000/tcp to m1:6379 ");
	assert_rows(f->dir, "alpha one b1 m1 RUNNING t1 20000/tcp to m1:6379 " NEW_TABLES);
}

static void test_a_connector_takes_its_versions_along(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);

	put_new_tables(t);
	commit(s, t);
	t = store_begin(s);
	store_put_connector_version(
		t, &(struct store_connector_version){ "c1", 2, "ACTIVE", 1, "v2" });
	store_del_connector_version(t, "c1", 1);
	store_del_published(t, 20001);
	store_del_account(t, ACCOUNT);
	store_del_access_key(t, "AKIA");
	store_del_kms_key(t, "k1");
	store_del_log_group(t, ACCOUNT, "/aws/x");
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "net v2 ");
	s = reopen_store(f->dir);
	t = store_begin(s);
	store_del_connector(t, "c1");
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "");
}

static void test_a_token_is_one_accounts(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);

	store_put_token(t, &(struct store_token){ ACCOUNT, "Run", "t1", "h", "{}", 100 });
	store_put_token(t, &(struct store_token){ ACCOUNT, "Stop", "t1", "h", "{}", 100 });
	store_put_token(t, &(struct store_token){ "111111111111", "Run", "t1", "h", "{}", 1 });
	store_del_tokens_before(t, 100);
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "t1 t1 ");
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
	store_put_token(t, &(struct store_token){ ACCOUNT, "Run", "t1", "h", "{}", 100 });
	store_put_token(t, &(struct store_token){ ACCOUNT, "Run", "t2", "h", "{}", 200 });
	commit(s, t);
	t = store_begin(s);
	store_del_version(t, "i1", 1);
	store_del_tokens_before(t, 200);
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "alpha two b2 t2 ");
	s = reopen_store(f->dir);
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

static int try_commit(struct store *s, struct store_txn *t, struct err *e)
{
	struct outcome o = { 0 };

	store_commit(t, note, &o);
	wait_for(s, &o);
	*e = o.err;
	return o.rc;
}

static void put_state(struct store_txn *t, const char *id, const char *state)
{
	store_put_microvm(t, &(struct store_microvm){ .id = id,
						      .account = ACCOUNT,
						      .endpoint = id,
						      .image = "i1",
						      .version = 1,
						      .state = state });
}

static void test_a_second_writer_never_undoes_a_first(void **state)
{
	struct fixture *f = *state;
	struct store *first = open_store(f->dir), *second;
	struct store_txn *t = store_begin(first);
	struct err e;

	put_state(t, "m1", "PENDING");
	put_state(t, "m2", "PENDING");
	commit(first, t);
	second = reopen_store(f->dir);

	/* Both have read PENDING; the first one changes it, and twice. */
	t = store_begin(first);
	put_state(t, "m1", "RUNNING");
	put_state(t, "m1", "SUSPENDING");
	commit(first, t);
	t = store_begin(second);
	put_state(t, "m2", "RUNNING");
	put_state(t, "m1", "TERMINATED");
	assert_int_equal(try_commit(second, t, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "another writer has changed 'microvm/m1'"));
	t = store_begin(second);
	store_del_microvm(t, "m1");
	assert_int_equal(try_commit(second, t, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);

	/* What was refused has left no trace: m2 is still what both have read. */
	t = store_begin(second);
	put_state(t, "m2", "TERMINATED");
	commit(second, t);
	t = store_begin(first);
	put_state(t, "m1", "SUSPENDED");
	commit(first, t);
	t = store_begin(first);
	put_state(t, "m2", "RUNNING");
	assert_int_equal(try_commit(first, t, &e), -1);
	store_close(first);
	store_close(second);
	assert_rows(f->dir, "m1 SUSPENDED m2 TERMINATED ");
}

static void test_a_row_that_is_gone_is_not_made_again_by_who_has_not_heard(void **state)
{
	struct fixture *f = *state;
	struct store *first = open_store(f->dir), *second;
	struct store_txn *t = store_begin(first);
	struct err e;

	put_image(t, "i1", "alpha");
	store_put_version(t, &(struct store_version){ .image = "i1",
						      .version = 1,
						      .state = "FAILED",
						      .status = "INACTIVE",
						      .params = "one" });
	commit(first, t);
	second = reopen_store(f->dir);
	t = store_begin(first);
	store_del_image(t, "i1");
	commit(first, t);
	t = store_begin(second);
	store_put_version(t, &(struct store_version){ .image = "i1",
						      .version = 1,
						      .state = "SUCCESSFUL",
						      .status = "ACTIVE",
						      .params = "one" });
	assert_int_equal(try_commit(second, t, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	store_close(second);

	/* The same id may come again with whoever deleted it. */
	t = store_begin(first);
	put_image(t, "i1", "beta");
	store_put_version(t, &(struct store_version){ .image = "i1",
						      .version = 1,
						      .state = "PENDING",
						      .status = "INACTIVE",
						      .params = "again" });
	commit(first, t);
	store_close(first);
	assert_rows(f->dir, "beta again ");
}

static void test_another_program_that_holds_the_file_is_waited_for_and_then_named(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);
	struct err e;
	char path[96];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/doze.db", f->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	put_state(t, "m1", "PENDING");
	assert_int_equal(try_commit(s, t, &e), -1);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(e.text, "another program"));
	assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	t = store_begin(s);
	put_state(t, "m1", "PENDING");
	commit(s, t);
	store_close(s);
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
	assert_null(try_store(f->dir, &e));
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
	store = try_store(f->dir, &e); /* no file can grow */
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
		STORE_TEST(test_a_store_of_the_second_format_gets_the_tables_of_today),
		STORE_TEST(test_a_connector_takes_its_versions_along),
		STORE_TEST(test_a_token_is_one_accounts),
		STORE_TEST(test_close_finishes_the_queue),
		STORE_TEST(test_an_image_takes_its_versions_and_builds_along),
		STORE_TEST(test_a_failed_transaction_leaves_the_others),
		STORE_TEST(test_a_second_writer_never_undoes_a_first),
		STORE_TEST(test_a_row_that_is_gone_is_not_made_again_by_who_has_not_heard),
		STORE_TEST(test_another_program_that_holds_the_file_is_waited_for_and_then_named),
		STORE_TEST(test_a_kill_loses_nothing_that_was_answered),
		STORE_TEST(test_the_store_opens_where_its_shared_index_cannot_be_made),
		STORE_TEST(test_a_newer_format_is_refused_with_a_sentence),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
