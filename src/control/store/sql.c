#include "control/store/sql.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "ipc/format.h"

struct sql_column {
	const char *name;
	bool is_text, is_key;
	size_t offset;
};

struct sql_table {
	const char *name;
	const struct sql_column *columns;
	size_t n;
	void (*load)(const struct store_loader *to, void *arg, const void *row);
};

#define COLUMN_TEXT(s, m) #m, true, false, offsetof(struct s, m)
#define COLUMN_KEY(s, m)  #m, true, true, offsetof(struct s, m)
#define COLUMN_INT(s, m)  #m, false, false, offsetof(struct s, m)

/* clang-format off */
static const struct sql_column image_columns[] = {
	{ COLUMN_KEY(store_image, id) },             { COLUMN_TEXT(store_image, name) },
	{ COLUMN_TEXT(store_image, state) },         { COLUMN_INT(store_image, created_ms) },
	{ COLUMN_INT(store_image, updated_ms) },     { COLUMN_INT(store_image, next_version) },
	{ COLUMN_INT(store_image, latest_active) },  { COLUMN_INT(store_image, latest_failed) },
	{ COLUMN_TEXT(store_image, tags) },
};

static const struct sql_column version_columns[] = {
	{ COLUMN_KEY(store_version, image) },
	{ "version", false, true, offsetof(struct store_version, version) },
	{ COLUMN_TEXT(store_version, state) },       { COLUMN_TEXT(store_version, status) },
	{ COLUMN_TEXT(store_version, reason) },      { COLUMN_INT(store_version, created_ms) },
	{ COLUMN_INT(store_version, updated_ms) },   { COLUMN_TEXT(store_version, params) },
	{ COLUMN_TEXT(store_version, made) },
};

static const struct sql_column build_columns[] = {
	{ COLUMN_KEY(store_build, id) },             { COLUMN_TEXT(store_build, image) },
	{ COLUMN_INT(store_build, version) },        { COLUMN_TEXT(store_build, state) },
	{ COLUMN_TEXT(store_build, code) },          { COLUMN_TEXT(store_build, reason) },
	{ COLUMN_INT(store_build, created_ms) },     { COLUMN_INT(store_build, updated_ms) },
	{ COLUMN_INT(store_build, memory_bytes) },   { COLUMN_INT(store_build, code_bytes) },
	{ COLUMN_INT(store_build, disk_bytes) },
};

static const struct sql_column microvm_columns[] = {
	{ COLUMN_KEY(store_microvm, id) },           { COLUMN_TEXT(store_microvm, endpoint) },
	{ COLUMN_TEXT(store_microvm, image) },       { COLUMN_INT(store_microvm, version) },
	{ COLUMN_TEXT(store_microvm, state) },       { COLUMN_TEXT(store_microvm, reason) },
	{ COLUMN_TEXT(store_microvm, machine) },     { COLUMN_TEXT(store_microvm, boot_id) },
	{ COLUMN_INT(store_microvm, save) },         { COLUMN_INT(store_microvm, started_ms) },
	{ COLUMN_INT(store_microvm, terminated_ms) },{ COLUMN_INT(store_microvm, suspended_ms) },
	{ COLUMN_INT(store_microvm, last_byte_ms) }, { COLUMN_TEXT(store_microvm, params) },
};

static const struct sql_column token_columns[] = {
	{ COLUMN_KEY(store_token, op) },             { COLUMN_KEY(store_token, token) },
	{ COLUMN_TEXT(store_token, params_hash) },   { COLUMN_TEXT(store_token, answer) },
	{ COLUMN_INT(store_token, created_ms) },
};

static const struct sql_column published_columns[] = {
	{ "port", false, true, offsetof(struct store_published, port) },
	{ COLUMN_TEXT(store_published, microvm) },   { COLUMN_TEXT(store_published, protocol) },
	{ COLUMN_INT(store_published, target) },     { COLUMN_TEXT(store_published, listen) },
	{ COLUMN_TEXT(store_published, sources) },   { COLUMN_INT(store_published, created_ms) },
};
/* clang-format on */

static void load_image(const struct store_loader *to, void *arg, const void *row)
{
	to->image(arg, row);
}

static void load_version(const struct store_loader *to, void *arg, const void *row)
{
	to->version(arg, row);
}

static void load_build(const struct store_loader *to, void *arg, const void *row)
{
	to->build(arg, row);
}

static void load_microvm(const struct store_loader *to, void *arg, const void *row)
{
	to->microvm(arg, row);
}

static void load_token(const struct store_loader *to, void *arg, const void *row)
{
	to->token(arg, row);
}

static void load_published(const struct store_loader *to, void *arg, const void *row)
{
	to->published(arg, row);
}

#define TABLE(t) #t, t##_columns, ARRAY_SIZE(t##_columns), load_##t

static const struct sql_table tables[SQL_NUM_PUTS] = {
	[PUT_IMAGE] = { TABLE(image) }, [PUT_VERSION] = { TABLE(version) },
	[PUT_BUILD] = { TABLE(build) }, [PUT_MICROVM] = { TABLE(microvm) },
	[PUT_TOKEN] = { TABLE(token) }, [PUT_PUBLISHED] = { TABLE(published) },
};

static const char *const deletes[SQL_NUM_DELS] = {
	[DEL_IMAGE] = "DELETE FROM image WHERE id = ?1",
	[DEL_VERSION] = "DELETE FROM version WHERE image = ?1 AND version = ?2",
	[DEL_MICROVM] = "DELETE FROM microvm WHERE id = ?1",
	[DEL_TOKENS] = "DELETE FROM token WHERE created_ms < ?1",
	[DEL_PUBLISHED] = "DELETE FROM published WHERE port = ?1",
};

/* Step N brings a database of format N to N + 1.  A step that was released never changes. */
static const char *const migrations[] = {
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
static_assert(ARRAY_SIZE(migrations) == STORE_FORMAT, "a format without a migration");

static int sql_err(sqlite3 *db, struct err *e, const char *what)
{
	int code = sqlite3_errcode(db);

	if (code == SQLITE_FULL)
		return err_set(e, ERR_CAPACITY,
			       "the disk of the data directory is full: free some space on it, "
			       "then try again");
	return err_set(e, ERR_INTERNAL, "the store cannot %s: %s", what, sqlite3_errmsg(db));
}

int sql_exec(sqlite3 *db, const char *sql, struct err *e)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return sql_err(db, e, "write");
	return 0;
}

static int sql_format(sqlite3 *db, int *format, struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*format = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 0 : sql_err(db, e, "be read");
}

static int sql_migrate(sqlite3 *db, struct err *e)
{
	int format = 0;
	char set[64];

	if (sql_format(db, &format, e))
		return -1;
	if (format > STORE_FORMAT)
		return err_set(e, ERR_INVALID,
			       "the data directory has format %d and this doze knows %d: start the "
			       "newer doze that wrote it",
			       format, STORE_FORMAT);
	if (format == STORE_FORMAT)
		return 0;
	if (sql_exec(db, "BEGIN IMMEDIATE", e))
		return -1;
	for (; format < STORE_FORMAT; format++)
		if (sql_exec(db, migrations[format], e))
			return -1;
	snprintf(set, sizeof(set), "PRAGMA user_version = %d", STORE_FORMAT);
	return sql_exec(db, set, e) ? -1 : sql_exec(db, "COMMIT", e);
}

/* @locking is NORMAL or EXCLUSIVE. */
static sqlite3 *sql_open_as(const char *path, const char *locking, struct err *e)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
	char lock[64];
	sqlite3 *db = NULL;

	snprintf(lock, sizeof(lock), "PRAGMA locking_mode = %s", locking);
	if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
		sql_err(db, e, "be opened");
	} else if (!sql_exec(db, lock, e) && !sql_exec(db, "PRAGMA journal_mode = WAL", e) &&
		   !sql_exec(db, "PRAGMA synchronous = FULL", e) &&
		   !sql_exec(db, "PRAGMA foreign_keys = ON", e) && !sql_migrate(db, e)) {
		return db;
	}
	sqlite3_close(db);
	return NULL;
}

/* The index of SQLite's log is a file that is made anew at a start, which a full disk has no room
 * for. With the exclusive lock the index is in memory; then nobody else can read the store
 * meanwhile, so that is the second choice. */
sqlite3 *sql_open(int dirfd, struct err *e)
{
	sqlite3 *db;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/doze.db", dirfd);
	db = sql_open_as(path, "NORMAL", e);
	return db ? db : sql_open_as(path, "EXCLUSIVE", e);
}

/* A row that exists is updated in place, so that the order of rows stays the order of creation. */
static void sql_put_text(const struct sql_table *t, struct buf *b)
{
	const char *comma = "";

	buf_addf(b, "INSERT INTO %s (", t->name);
	for (size_t i = 0; i < t->n; i++)
		buf_addf(b, "%s%s", i ? ", " : "", t->columns[i].name);
	buf_adds(b, ") VALUES (");
	for (size_t i = 0; i < t->n; i++)
		buf_addf(b, "%s?%zu", i ? ", " : "", i + 1);
	buf_adds(b, ") ON CONFLICT (");
	for (size_t i = 0; i < t->n; i++)
		if (t->columns[i].is_key) {
			buf_addf(b, "%s%s", comma, t->columns[i].name);
			comma = ", ";
		}
	buf_adds(b, ") DO UPDATE SET ");
	comma = "";
	for (size_t i = 0; i < t->n; i++)
		if (!t->columns[i].is_key) {
			buf_addf(b, "%s%s = ?%zu", comma, t->columns[i].name, i + 1);
			comma = ", ";
		}
}

int sql_prepare(sqlite3 *db, sqlite3_stmt *stmts[SQL_NUM_STMTS], struct err *e)
{
	for (size_t i = 0; i < SQL_NUM_STMTS; i++) {
		autobuf struct buf text = { 0 };

		if (i < SQL_NUM_PUTS)
			sql_put_text(&tables[i], &text);
		else
			buf_adds(&text, deletes[i - SQL_NUM_PUTS]);
		if (sqlite3_prepare_v3(db, buf_str(&text), -1, SQLITE_PREPARE_PERSISTENT, &stmts[i],
				       NULL) != SQLITE_OK)
			return sql_err(db, e, "be prepared");
	}
	return 0;
}

size_t sql_values(enum sql_put put, const void *row, struct sql_value v[SQL_MAX_VALUES])
{
	const struct sql_table *t = &tables[put];

	assert(t->n <= SQL_MAX_VALUES);
	for (size_t i = 0; i < t->n; i++) {
		const void *at = (const char *)row + t->columns[i].offset;

		v[i] = (struct sql_value){ .is_text = t->columns[i].is_text };
		if (v[i].is_text)
			memcpy(&v[i].text, at, sizeof(v[i].text));
		else
			memcpy(&v[i].number, at, sizeof(v[i].number));
	}
	return t->n;
}

int sql_run(sqlite3 *db, sqlite3_stmt *stmt, const struct sql_value *v, size_t n, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		if (v[i].is_text)
			sqlite3_bind_text(stmt, (int)i + 1, v[i].text, -1, SQLITE_STATIC);
		else
			sqlite3_bind_int64(stmt, (int)i + 1, v[i].number);
	if (sqlite3_step(stmt) != SQLITE_DONE)
		rc = sql_err(db, e, "write");
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return rc;
}

static int sql_load_table(sqlite3 *db, const struct sql_table *t, const struct store_loader *to,
			  void *arg, struct err *e)
{
	autobuf struct buf text = { 0 };
	union {
		struct store_image image;
		struct store_version version;
		struct store_build build;
		struct store_microvm microvm;
		struct store_token token;
		struct store_published published;
	} row;
	sqlite3_stmt *stmt = NULL;
	int rc;

	buf_adds(&text, "SELECT ");
	for (size_t i = 0; i < t->n; i++)
		buf_addf(&text, "%s%s", i ? ", " : "", t->columns[i].name);
	buf_addf(&text, " FROM %s ORDER BY rowid", t->name);
	if (sqlite3_prepare_v2(db, buf_str(&text), -1, &stmt, NULL) != SQLITE_OK)
		return sql_err(db, e, "be read");
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		for (size_t i = 0; i < t->n; i++) {
			char *at = (char *)&row + t->columns[i].offset;
			const char *word = (const char *)sqlite3_column_text(stmt, (int)i);
			int64_t number;

			if (t->columns[i].is_text) {
				memcpy(at, &word, sizeof(word));
				continue;
			}
			number = sqlite3_column_int64(stmt, (int)i);
			memcpy(at, &number, sizeof(number));
		}
		t->load(to, arg, &row);
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : sql_err(db, e, "be read");
}

int sql_load(sqlite3 *db, const struct store_loader *to, void *arg, struct err *e)
{
	for (size_t i = 0; i < SQL_NUM_PUTS; i++)
		if (sql_load_table(db, &tables[i], to, arg, e))
			return -1;
	return 0;
}
