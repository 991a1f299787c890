/* sql.h - the statements and their values, as both databases understand them. */
#ifndef CONTROL_STORE_SQL_H
#define CONTROL_STORE_SQL_H

#include "base/buf.h"
#include "control/store/tables.h"

/* One of each kind for each table. */
enum sql_stmt {
	/* The whole row.  It must not be there if rows of its table have a revision. */
	SQL_PUTS,
	/* Only where there is a revision: the whole row, then the revision that it replaces. */
	SQL_UPDATES = SQL_PUTS + STORE_NUM_TABLES,
	/* The key, then the revision if there is one. */
	SQL_DELS = SQL_UPDATES + STORE_NUM_TABLES,
	/* All rows. */
	SQL_CLEARS = SQL_DELS + STORE_NUM_TABLES,
	SQL_OTHERS = SQL_CLEARS + STORE_NUM_TABLES,
	SQL_DEL_TOKENS_BEFORE = SQL_OTHERS,
	/* What is older than accounts belongs to that of the configuration. */
	SQL_ADOPT_IMAGES,
	SQL_ADOPT_MICROVMS,
	SQL_ADOPT_TOKENS,
	SQL_NUM_STMTS,
};

/* A value of a row or a parameter of a statement. */
struct sql_value {
	bool is_text;
	int64_t number;
	const char *text; /* may be NULL: SQL NULL */
};

#define SQL_MAX_VALUES 20

/* The text of a statement, its values named ?1, ?2 and so on.  Nothing: there is no such one. */
void sql_text(enum sql_stmt stmt, struct buf *b);
/* All rows of a table in their order, and behind the columns the revision, or 0. */
void sql_select(enum store_table table, struct buf *b);

/* The members of a row, or those of its key alone, as values; their number.  Text is borrowed from
 * the row. */
size_t sql_values(enum store_table table, const void *row, struct sql_value v[SQL_MAX_VALUES]);
size_t sql_key(enum store_table table, const void *row, struct sql_value v[SQL_MAX_VALUES]);
/* Which row that is: "image/<id>/<version>". */
void sql_path(enum store_table table, const void *row, struct buf *b);

#endif
