#include "control/store/sql.h"

#include <string.h>

/* The statements that are not one for each table. */
static const char *const others[] = {
	[SQL_DEL_TOKENS_BEFORE - SQL_OTHERS] = "DELETE FROM token WHERE created_ms < ?1",
	[SQL_ADOPT_IMAGES - SQL_OTHERS] = "UPDATE image SET account = ?1 WHERE account = ''",
	[SQL_ADOPT_MICROVMS - SQL_OTHERS] = "UPDATE microvm SET account = ?1 WHERE account = ''",
	[SQL_ADOPT_TOKENS - SQL_OTHERS] = "UPDATE token SET account = ?1 WHERE account = ''",
};
static_assert(ARRAY_SIZE(others) == SQL_NUM_STMTS - SQL_OTHERS, "a statement without a text");

static void sql_columns(const struct sql_table *t, struct buf *b)
{
	for (size_t i = 0; i < t->n; i++)
		buf_addf(b, "%s%s", i ? ", " : "", t->columns[i].name);
}

static void sql_insert(const struct sql_table *t, struct buf *b)
{
	buf_addf(b, "INSERT INTO %s (", t->name);
	sql_columns(t, b);
	buf_adds(b, t->root ? ", revision) VALUES (" : ") VALUES (");
	for (size_t i = 0; i < t->n; i++)
		buf_addf(b, "%s?%zu", i ? ", " : "", i + 1);
	buf_adds(b, t->root ? ", 1)" : ")");
}

static void sql_set(const struct sql_table *t, struct buf *b)
{
	const char *comma = " SET ";

	for (size_t i = 0; i < t->n; i++)
		if (!t->columns[i].is_key) {
			buf_addf(b, "%s%s = ?%zu", comma, t->columns[i].name, i + 1);
			comma = ", ";
		}
}

/* A row that exists is updated in place, so that the order of rows stays the order of creation. */
static void sql_put_text(const struct sql_table *t, struct buf *b)
{
	const char *comma = " ON CONFLICT (";

	sql_insert(t, b);
	if (t->root)
		return;
	for (size_t i = 0; i < t->n; i++)
		if (t->columns[i].is_key) {
			buf_addf(b, "%s%s", comma, t->columns[i].name);
			comma = ", ";
		}
	buf_adds(b, ") DO UPDATE");
	sql_set(t, b);
}

static void sql_update_text(const struct sql_table *t, struct buf *b)
{
	if (!t->root)
		return;
	buf_addf(b, "UPDATE %s", t->name);
	sql_set(t, b);
	buf_adds(b, ", revision = revision + 1 WHERE ");
	for (size_t i = 0; i < t->n; i++)
		if (t->columns[i].is_key)
			buf_addf(b, "%s = ?%zu AND ", t->columns[i].name, i + 1);
	buf_addf(b, "revision = ?%zu", t->n + 1);
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
	if (t->root)
		buf_addf(b, " AND revision = ?%zu", n + 1);
}

void sql_text(enum sql_stmt stmt, struct buf *b)
{
	if (stmt < SQL_UPDATES)
		sql_put_text(&store_tables[stmt - SQL_PUTS], b);
	else if (stmt < SQL_DELS)
		sql_update_text(&store_tables[stmt - SQL_UPDATES], b);
	else if (stmt < SQL_CLEARS)
		sql_del_text(&store_tables[stmt - SQL_DELS], b);
	else if (stmt < SQL_OTHERS)
		buf_addf(b, "DELETE FROM %s", store_tables[stmt - SQL_CLEARS].name);
	else
		buf_adds(b, others[stmt - SQL_OTHERS]);
}

void sql_select(enum store_table table, struct buf *b)
{
	const struct sql_table *t = &store_tables[table];

	buf_adds(b, "SELECT ");
	sql_columns(t, b);
	buf_addf(b, ", %s FROM %s ORDER BY %s", t->root ? "revision" : "0", t->name,
		 t->order ? t->order : "rowid");
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

void sql_path(enum store_table table, const void *row, struct buf *b)
{
	const struct sql_table *t = &store_tables[table];

	buf_adds(b, t->root ? t->root : t->name);
	for (size_t i = 0; i < t->n; i++) {
		struct sql_value v = sql_value(&t->columns[i], row);

		if (!t->columns[i].is_path)
			continue;
		if (v.is_text)
			buf_addf(b, "/%s", v.text ? v.text : "");
		else
			buf_addf(b, "/%lld", (long long)v.number);
	}
}
