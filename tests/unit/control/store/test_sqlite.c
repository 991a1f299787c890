/* The store in SQLite's file: formats of the past, kills, locks and full disks. */

#include "store_rig.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

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
	"ALTER TABLE image ADD COLUMN account TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE image ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE version ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE build ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE microvm ADD COLUMN account TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE microvm ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE token RENAME TO token_2;"
	"DROP INDEX token_created;"
	"CREATE TABLE token (account TEXT NOT NULL, op TEXT NOT NULL, token TEXT NOT NULL,"
	" params_hash TEXT, answer TEXT, created_ms INTEGER, PRIMARY KEY (account, op, token));"
	"INSERT INTO token (account, op, token, params_hash, answer, created_ms)"
	" SELECT '', op, token, params_hash, answer, created_ms FROM token_2;"
	"DROP TABLE token_2;"
	"CREATE INDEX token_created ON token (created_ms);"
	"CREATE TABLE account (id TEXT PRIMARY KEY, name TEXT, state TEXT NOT NULL,"
	" created_ms INTEGER, params TEXT);"
	"CREATE TABLE access_key (id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT,"
	" secret TEXT NOT NULL, session TEXT, arn TEXT, policy TEXT, state TEXT NOT NULL,"
	" created_ms INTEGER, expires_ms INTEGER);"
	"CREATE TABLE connector (id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL,"
	" state TEXT NOT NULL, reason TEXT, version INTEGER, created_ms INTEGER,"
	" updated_ms INTEGER, tags TEXT, params TEXT, revision INTEGER NOT NULL DEFAULT 1);"
	"CREATE TABLE connector_version (connector TEXT NOT NULL REFERENCES connector (id)"
	" ON DELETE CASCADE, version INTEGER NOT NULL, state TEXT NOT NULL, created_ms INTEGER,"
	" params TEXT, PRIMARY KEY (connector, version));"
	"CREATE TABLE kms_key (id TEXT PRIMARY KEY, account TEXT NOT NULL, alias TEXT,"
	" wrapped TEXT NOT NULL, state TEXT NOT NULL, created_ms INTEGER, params TEXT);"
	"CREATE TABLE log_group (account TEXT NOT NULL, name TEXT NOT NULL,"
	" retention_days INTEGER, created_ms INTEGER, params TEXT, PRIMARY KEY (account, name));",
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
		"UPDATE image SET account = '" ACCOUNT "'; UPDATE microvm SET account = '" ACCOUNT
		"'; UPDATE token SET account = '" ACCOUNT "';",
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
	assert_rows(f->dir, LOG_TABLES "alpha one b1 m1 RUNNING t1 " NEW_TABLES);
}

static void test_a_store_of_the_second_format_gets_the_tables_of_today(void **state)
{
	struct fixture *f = *state;

	assert_migrates(f, 2, "alpha one b1 m1 RUNNING t1 20000/tcp to m1:6379 ");
	assert_rows(f->dir,
		    LOG_TABLES "alpha one b1 m1 RUNNING t1 20000/tcp to m1:6379 " NEW_TABLES);
}
static void test_a_store_of_the_third_format_gets_the_tables_of_today(void **state)
{
	struct fixture *f = *state;

	assert_migrates(f, 3, "alpha one b1 m1 RUNNING t1 20000/tcp to m1:6379 ");
	assert_rows(f->dir,
		    LOG_TABLES "alpha one b1 m1 RUNNING t1 20000/tcp to m1:6379 " NEW_TABLES);
}

static void test_two_stores_on_one_file_never_undo_each_other(void **state)
{
	struct fixture *f = *state;
	struct store *first = open_store(f->dir), *second;
	struct store_txn *t = store_begin(first);
	struct err e;

	put_microvm(t, "m1", "m1", "PENDING");
	put_microvm(t, "m2", "m2", "PENDING");
	commit(first, t);
	second = reopen_store(f->dir);

	/* Both have read PENDING; the first one changes it, and twice. */
	t = store_begin(first);
	put_microvm(t, "m1", "m1", "RUNNING");
	put_microvm(t, "m1", "m1", "SUSPENDING");
	commit(first, t);
	t = store_begin(second);
	put_microvm(t, "m2", "m2", "RUNNING");
	put_microvm(t, "m1", "m1", "TERMINATED");
	assert_int_equal(try_commit(second, t, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "another writer has changed 'microvm/m1'"));
	t = store_begin(second);
	store_del_microvm(t, "m1");
	assert_int_equal(try_commit(second, t, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);

	/* What was refused has left no trace: m2 is still what both have read. */
	t = store_begin(second);
	put_microvm(t, "m2", "m2", "TERMINATED");
	commit(second, t);
	t = store_begin(first);
	put_microvm(t, "m1", "m1", "SUSPENDED");
	commit(first, t);
	t = store_begin(first);
	put_microvm(t, "m2", "m2", "RUNNING");
	assert_int_equal(try_commit(first, t, &e), -1);
	store_close(first);
	store_close(second);
	assert_rows(f->dir, "m1 SUSPENDED m2 TERMINATED ");
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
	put_microvm(t, "m1", "m1", "PENDING");
	assert_int_equal(try_commit(s, t, &e), -1);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(e.text, "another program"));
	assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	t = store_begin(s);
	put_microvm(t, "m1", "m1", "PENDING");
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

	put_microvm(t, "m1", "e1", "PENDING");
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
	struct err e;

	store_close(open_store(f->dir));
	other_writer(f, "PRAGMA user_version = 99");
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

static void test_rows_that_are_in_postgres_are_not_begun_anew(void **state)
{
	struct fixture *f = *state;
	static const char id[] = "0b0e7c4e-6d0f-4b57-9d0e-3f1f0a1c2d3e";
	struct err e;

	assert_int_equal(place_draft_id(f->dir, id, &e), 0);
	assert_int_equal(place_take_draft(f->dir, id, &e), 0);
	assert_null(try_store(f->dir, &e));
	assert_non_null(strstr(e.text, "set [store] url again"));
	assert_false(place_has_file(f->dir));
}

static void test_a_url_comes_from_a_file_that_nobody_else_can_read(void **state)
{
	struct fixture *f = *state;
	autofree char *path = xasprintf("%s/url", f->path);
	autobuf struct buf url = { 0 };
	static const char text[] = "postgresql://a:b@c/d\n";
	struct err e;

	assert_int_equal(io_replace(f->dir, "url", text, strlen(text), 0640, &e), 0);
	assert_int_equal(place_read_url("", path, &url, &e), -1);
	assert_non_null(strstr(e.text, "chmod 600"));
	assert_int_equal(io_replace(f->dir, "url", text, strlen(text), 0600, &e), 0);
	assert_int_equal(place_read_url("x", path, &url, &e), -1);
	assert_int_equal(place_read_url("", path, &url, &e), 0);
	assert_string_equal(buf_str(&url), "postgresql://a:b@c/d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_a_store_of_the_first_format_gets_the_tables_of_today),
		STORE_TEST(test_a_store_of_the_second_format_gets_the_tables_of_today),
		STORE_TEST(test_a_store_of_the_third_format_gets_the_tables_of_today),
		STORE_TEST(test_two_stores_on_one_file_never_undo_each_other),
		STORE_TEST(test_another_program_that_holds_the_file_is_waited_for_and_then_named),
		STORE_TEST(test_a_kill_loses_nothing_that_was_answered),
		STORE_TEST(test_a_newer_format_is_refused_with_a_sentence),
		STORE_TEST(test_the_store_opens_where_its_shared_index_cannot_be_made),
		STORE_TEST(test_rows_that_are_in_postgres_are_not_begun_anew),
		STORE_TEST(test_a_url_comes_from_a_file_that_nobody_else_can_read),
	};

	return cmocka_run_group_tests_name("store/sqlite", tests, NULL, NULL);
}
