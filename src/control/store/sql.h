/* sql.h - the store's tables as data, from which statements, binding and loading follow. */
#ifndef CONTROL_STORE_SQL_H
#define CONTROL_STORE_SQL_H

#include <sqlite3.h>

#include "base/err.h"
#include "control/store/rows.h"

enum sql_put {
	PUT_IMAGE,
	PUT_VERSION,
	PUT_BUILD,
	PUT_MICROVM,
	PUT_TOKEN,
	PUT_PUBLISHED,
	SQL_NUM_PUTS
};

enum sql_del {
	DEL_IMAGE, /* versions and builds follow by foreign key */
	DEL_VERSION,
	DEL_MICROVM,
	DEL_TOKENS,
	DEL_PUBLISHED,
	SQL_NUM_DELS,
};

#define SQL_NUM_STMTS (SQL_NUM_PUTS + SQL_NUM_DELS)

/* A value of a row or a parameter of a delete. */
struct sql_value {
	bool is_text;
	int64_t number;
	const char *text; /* may be NULL: SQL NULL */
};

#define SQL_MAX_VALUES 16

/* Open the database of @dirfd and bring its tables to STORE_FORMAT. */
sqlite3 *sql_open(int dirfd, struct err *e) must_check;

/* All statements: puts, then deletes (SQL_NUM_PUTS + enum sql_del). */
int sql_prepare(sqlite3 *db, sqlite3_stmt *stmts[SQL_NUM_STMTS], struct err *e) must_check;

/* The members of a row as values; their number.  Text is borrowed from the row. */
size_t sql_values(enum sql_put put, const void *row, struct sql_value v[SQL_MAX_VALUES]);

int sql_run(sqlite3 *db, sqlite3_stmt *stmt, const struct sql_value *v, size_t n,
	    struct err *e) must_check;
int sql_exec(sqlite3 *db, const char *sql, struct err *e) must_check;

/* Every row to the loader. */
int sql_load(sqlite3 *db, const struct store_loader *to, void *arg, struct err *e) must_check;

#endif
