/* sql.h - the tables in SQLite: opening, statements, loading. */
#ifndef CONTROL_STORE_SQL_H
#define CONTROL_STORE_SQL_H

#include <sqlite3.h>

#include "base/err.h"
#include "control/store/place.h"
#include "control/store/tables.h"

enum sql_stmt {
	SQL_PUTS,                               /* one for each table */
	SQL_DELS = SQL_PUTS + STORE_NUM_TABLES, /* likewise, by the key */
	SQL_OTHERS = SQL_DELS + STORE_NUM_TABLES,
	SQL_DEL_TOKENS_BEFORE = SQL_OTHERS,
	SQL_NUM_STMTS,
};

/* A value of a row or a parameter of a delete. */
struct sql_value {
	bool is_text;
	int64_t number;
	const char *text; /* may be NULL: SQL NULL */
};

#define SQL_MAX_VALUES 20

/* Open the database and bring its tables to STORE_FORMAT. */
sqlite3 *sql_open(const struct store_place *where, struct err *e) must_check;
int sql_prepare(sqlite3 *db, sqlite3_stmt *stmts[SQL_NUM_STMTS], struct err *e) must_check;

/* The members of a row, or those of its key alone, as values; their number.  Text is borrowed from
 * the row. */
size_t sql_values(enum store_table table, const void *row, struct sql_value v[SQL_MAX_VALUES]);
size_t sql_key(enum store_table table, const void *row, struct sql_value v[SQL_MAX_VALUES]);

int sql_run(sqlite3 *db, sqlite3_stmt *stmt, const struct sql_value *v, size_t n,
	    struct err *e) must_check;
int sql_exec(sqlite3 *db, const char *sql, struct err *e) must_check;

/* Every row to the loader. */
int sql_load(sqlite3 *db, const struct store_loader *to, void *arg, struct err *e) must_check;

#endif
