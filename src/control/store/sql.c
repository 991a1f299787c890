#include "control/store/sql.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "ipc/format.h"

/* The statements that are not one for each table. */
static const char *const others[] = {
	[SQL_DEL_TOKENS_BEFORE - SQL_OTHERS] = "DELETE FROM token WHERE created_ms < ?1",
};
static_assert(ARRAY_SIZE(others) == SQL_NUM_STMTS - SQL_OTHERS, "a statement without a text");

/* What is older than accounts belongs to the one of the configuration. */
static const char *const adoptions[] = {
	"UPDATE image SET account = ?1 WHERE account = ''",
	"UPDATE microvm SET account = ?1 WHERE account = ''",
	"UPDATE token SET account = ?1 WHERE account = ''",
};

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

static int sql_adopt(sqlite3 *db, const char *account, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(adoptions); i++) {
		sqlite3_stmt *stmt = NULL;
		int rc = sqlite3_prepare_v2(db, adoptions[i], -1, &stmt, NULL);

		if (rc == SQLITE_OK) {
			sqlite3_bind_text(stmt, 1, account, -1, SQLITE_STATIC);
			rc = sqlite3_step(stmt);
		}
		sqlite3_finalize(stmt);
		if (rc != SQLITE_DONE)
			return sql_err(db, e, "be migrated");
	}
	return 0;
}

static int sql_migrate(sqlite3 *db, const char *account, struct err *e)
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
		if (sql_exec(db, store_migrations[format], e))
			return -1;
	if (sql_adopt(db, account, e))
		return -1;
	snprintf(set, sizeof(set), "PRAGMA user_version = %d", STORE_FORMAT);
	return sql_exec(db, set, e) ? -1 : sql_exec(db, "COMMIT", e);
}

/* @locking is NORMAL or EXCLUSIVE. */
static sqlite3 *sql_open_as(const char *path, const char *locking, const char *account,
			    struct err *e)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
	char lock[64];
	sqlite3 *db = NULL;

	snprintf(lock, sizeof(lock), "PRAGMA locking_mode = %s", locking);
	if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
		sql_err(db, e, "be opened");
	} else if (!sql_exec(db, lock, e) && !sql_exec(db, "PRAGMA journal_mode = WAL", e) &&
		   !sql_exec(db, "PRAGMA synchronous = FULL", e) &&
		   !sql_exec(db, "PRAGMA foreign_keys = ON", e) && !sql_migrate(db, account, e)) {
		return db;
	}
	sqlite3_close(db);
	return NULL;
}

/* The index of SQLite's log is a file that is made anew at a start, which a full disk has no room
 * for. With the exclusive lock the index is in memory; then nobody else can read the store
 * meanwhile, so that is the second choice. */
sqlite3 *sql_open(const struct store_place *where, struct err *e)
{
	sqlite3 *db;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/doze.db", where->dir);
	db = sql_open_as(path, "NORMAL", where->account, e);
	return db ? db : sql_open_as(path, "EXCLUSIVE", where->account, e);
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

static void sql_del_text(const struct sql_table *t, struct buf *b)
{
	const char *and = " WHERE ";
	size_t n = 0;

	buf_addf(b, "DELETE FROM %s", t->name);
	for (size_t i = 0; i < t->n; i++)
		if (t->columns[i].is_key) {
			buf_addf(b, "%s%s = ?%zu", and, t->columns[i].name, ++n);
			and = " AND ";
		}
}

static void sql_text(size_t stmt, struct buf *b)
{
	if (stmt < SQL_DELS)
		sql_put_text(&store_tables[stmt - SQL_PUTS], b);
	else if (stmt < SQL_OTHERS)
		sql_del_text(&store_tables[stmt - SQL_DELS], b);
	else
		buf_adds(b, others[stmt - SQL_OTHERS]);
}

int sql_prepare(sqlite3 *db, sqlite3_stmt *stmts[SQL_NUM_STMTS], struct err *e)
{
	for (size_t i = 0; i < SQL_NUM_STMTS; i++) {
		autobuf struct buf text = { 0 };

		sql_text(i, &text);
		if (sqlite3_prepare_v3(db, buf_str(&text), -1, SQLITE_PREPARE_PERSISTENT, &stmts[i],
				       NULL) != SQLITE_OK)
			return sql_err(db, e, "be prepared");
	}
	return 0;
}

static struct sql_value sql_value(const struct sql_column *column, const void *row)
{
	struct sql_value v = { .is_text = column->is_text };
	const void *at = (const char *)row + column->offset;

	if (v.is_text)
		memcpy(&v.text, at, sizeof(v.text));
	else
		memcpy(&v.number, at, sizeof(v.number));
	return v;
}

size_t sql_values(enum store_table table, const void *row, struct sql_value v[SQL_MAX_VALUES])
{
	const struct sql_table *t = &store_tables[table];

	assert(t->n <= SQL_MAX_VALUES);
	for (size_t i = 0; i < t->n; i++)
		v[i] = sql_value(&t->columns[i], row);
	return t->n;
}

size_t sql_key(enum store_table table, const void *row, struct sql_value v[SQL_MAX_VALUES])
{
	const struct sql_table *t = &store_tables[table];
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		if (t->columns[i].is_key)
			v[n++] = sql_value(&t->columns[i], row);
	return n;
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
	union store_row row;
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
	for (size_t i = 0; i < STORE_NUM_TABLES; i++)
		if (sql_load_table(db, &store_tables[i], to, arg, e))
			return -1;
	return 0;
}
