#include "control/store/sqlite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/format.h"

#define SQLITE_BUSY_MS 2000 /* for which another program may hold the file */

struct sqlite {
	struct backend backend;
	sqlite3 *db;
	sqlite3_stmt *stmts[SQL_NUM_STMTS];
};

static struct sqlite *sqlite_of(struct backend *b)
{
	return container_of(b, struct sqlite, backend);
}

static int sqlite_err(sqlite3 *db, struct err *e, const char *what)
{
	int code = sqlite3_errcode(db);

	if (code == SQLITE_FULL)
		return err_set(e, ERR_CAPACITY,
			       "the disk of the data directory is full: free some space on it, "
			       "then try again");
	if (code == SQLITE_BUSY)
		return err_set(e, ERR_UNAVAILABLE,
			       "another program has the store in use (control/doze.db): let it "
			       "finish, then try again");
	return err_set(e, ERR_INTERNAL, "the store cannot %s: %s", what, sqlite3_errmsg(db));
}

static int sqlite_exec(sqlite3 *db, const char *sql, struct err *e)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return sqlite_err(db, e, "write");
	return 0;
}

static int sqlite_format(sqlite3 *db, int *format, struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*format = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 0 : sqlite_err(db, e, "be read");
}

static int sqlite_adopt(sqlite3 *db, const char *account, struct err *e)
{
	for (int i = SQL_ADOPT_IMAGES; i <= SQL_ADOPT_TOKENS; i++) {
		autobuf struct buf text = { 0 };
		sqlite3_stmt *stmt = NULL;
		int rc;

		sql_text((enum sql_stmt)i, &text);
		rc = sqlite3_prepare_v2(db, buf_str(&text), -1, &stmt, NULL);
		if (rc == SQLITE_OK) {
			sqlite3_bind_text(stmt, 1, account, -1, SQLITE_STATIC);
			rc = sqlite3_step(stmt);
		}
		sqlite3_finalize(stmt);
		if (rc != SQLITE_DONE)
			return sqlite_err(db, e, "be migrated");
	}
	return 0;
}

static int sqlite_migrate(sqlite3 *db, const char *account, struct err *e)
{
	int format = 0;
	char set[64];

	if (sqlite_format(db, &format, e))
		return -1;
	if (format > STORE_FORMAT)
		return err_set(e, ERR_INVALID,
			       "the data directory has format %d and this doze knows %d: start the "
			       "newer doze that wrote it",
			       format, STORE_FORMAT);
	if (format == STORE_FORMAT)
		return 0;
	if (sqlite_exec(db, "BEGIN IMMEDIATE", e))
		return -1;
	for (; format < STORE_FORMAT; format++)
		if (sqlite_exec(db, store_migrations[format], e))
			return -1;
	if (sqlite_adopt(db, account, e))
		return -1;
	snprintf(set, sizeof(set), "PRAGMA user_version = %d", STORE_FORMAT);
	return sqlite_exec(db, set, e) ? -1 : sqlite_exec(db, "COMMIT", e);
}

/* @locking is NORMAL or EXCLUSIVE. */
static sqlite3 *sqlite_open_as(const char *path, const char *locking, const char *account,
			       struct err *e)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
	char lock[64];
	sqlite3 *db = NULL;

	snprintf(lock, sizeof(lock), "PRAGMA locking_mode = %s", locking);
	if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
		sqlite_err(db, e, "be opened");
	} else if (!sqlite3_busy_timeout(db, SQLITE_BUSY_MS) && !sqlite_exec(db, lock, e) &&
		   !sqlite_exec(db, "PRAGMA journal_mode = WAL", e) &&
		   !sqlite_exec(db, "PRAGMA synchronous = FULL", e) &&
		   !sqlite_exec(db, "PRAGMA foreign_keys = ON", e) &&
		   !sqlite_migrate(db, account, e)) {
		return db;
	}
	sqlite3_close(db);
	return NULL;
}

static int sqlite_prepare(struct sqlite *s, struct err *e)
{
	for (int i = 0; i < SQL_NUM_STMTS; i++) {
		autobuf struct buf text = { 0 };

		sql_text((enum sql_stmt)i, &text);
		if (text.size &&
		    sqlite3_prepare_v3(s->db, buf_str(&text), -1, SQLITE_PREPARE_PERSISTENT,
				       &s->stmts[i], NULL) != SQLITE_OK)
			return sqlite_err(s->db, e, "be prepared");
	}
	return 0;
}

static void sqlite_close(struct backend *b)
{
	struct sqlite *s = sqlite_of(b);

	for (size_t i = 0; i < SQL_NUM_STMTS; i++)
		sqlite3_finalize(s->stmts[i]);
	sqlite3_close(s->db);
	free(s);
}

static int sqlite_begin(struct backend *b, struct err *e)
{
	return sqlite_exec(sqlite_of(b)->db, "BEGIN IMMEDIATE", e);
}

static int sqlite_run(struct backend *b, enum sql_stmt which, const struct sql_value *v, size_t n,
		      int64_t *changed, struct err *e)
{
	struct sqlite *s = sqlite_of(b);
	sqlite3_stmt *stmt = s->stmts[which];
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		if (v[i].is_text)
			sqlite3_bind_text(stmt, (int)i + 1, v[i].text, -1, SQLITE_STATIC);
		else
			sqlite3_bind_int64(stmt, (int)i + 1, v[i].number);
	if (sqlite3_step(stmt) != SQLITE_DONE)
		rc = sqlite_err(s->db, e, "write");
	else
		*changed = sqlite3_changes(s->db);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return rc;
}

static int sqlite_commit(struct backend *b, struct err *e)
{
	return sqlite_exec(sqlite_of(b)->db, "COMMIT", e);
}

/* After some errors SQLite has rolled back by itself. */
static void sqlite_rollback(struct backend *b)
{
	struct sqlite *s = sqlite_of(b);

	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

static void sqlite_read_row(sqlite3_stmt *stmt, const struct sql_table *t, union store_row *row)
{
	for (size_t i = 0; i < t->n; i++) {
		char *at = (char *)row + t->columns[i].offset;
		const char *word = (const char *)sqlite3_column_text(stmt, (int)i);
		int64_t number;

		if (t->columns[i].is_text) {
			memcpy(at, &word, sizeof(word));
			continue;
		}
		number = sqlite3_column_int64(stmt, (int)i);
		memcpy(at, &number, sizeof(number));
	}
}

static int sqlite_load_table(struct sqlite *s, enum store_table table, backend_row *each, void *arg,
			     struct err *e)
{
	const struct sql_table *t = &store_tables[table];
	autobuf struct buf text = { 0 };
	union store_row row;
	sqlite3_stmt *stmt = NULL;
	int rc;

	sql_select(table, &text);
	if (sqlite3_prepare_v2(s->db, buf_str(&text), -1, &stmt, NULL) != SQLITE_OK)
		return sqlite_err(s->db, e, "be read");
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		sqlite_read_row(stmt, t, &row);
		each(arg, table, &row, sqlite3_column_int64(stmt, (int)t->n));
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : sqlite_err(s->db, e, "be read");
}

static int sqlite_load(struct backend *b, backend_row *row, void *arg, struct err *e)
{
	for (int i = 0; i < STORE_NUM_TABLES; i++)
		if (sqlite_load_table(sqlite_of(b), (enum store_table)i, row, arg, e))
			return -1;
	return 0;
}

static const struct backend_ops sqlite_ops = {
	.close = sqlite_close,
	.load = sqlite_load,
	.begin = sqlite_begin,
	.run = sqlite_run,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
};

/* The index of SQLite's log is a file that is made anew at a start, which a full disk has no room
 * for. With the exclusive lock the index is in memory; then nobody else can read the store
 * meanwhile, so that is the second choice. */
struct backend *sqlite_open(const struct store_place *where, struct err *e)
{
	struct sqlite *s = xcalloc(1, sizeof(*s));
	char path[64], id[UUID_SIZE];

	s->backend.ops = &sqlite_ops;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/doze.db", where->dir);
	if (place_read_id(where->dir, id, e)) {
		free(s);
		return NULL;
	}
	if (!*id)
		s->db = sqlite_open_as(path, "NORMAL", where->account, e);
	else
		err_set(e, ERR_INVALID,
			"the rows of this data directory are in PostgreSQL: set [store] url again, "
			"or "
			"remove control/store-id to begin without them");
	if (!s->db && !*id)
		s->db = sqlite_open_as(path, "EXCLUSIVE", where->account, e);
	if (s->db && !sqlite_prepare(s, e))
		return &s->backend;
	sqlite_close(&s->backend);
	return NULL;
}
