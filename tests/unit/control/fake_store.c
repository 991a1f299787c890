#include "fake_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "control/store/txn.h"

/* Rows are JSON, a member for each column. */
static json_t *rows[STORE_NUM_TABLES];
static struct list queue = LIST_INIT(queue);

void fake_store_clear(void)
{
	list_each(t, &queue, struct store_txn, in)
	{
		list_del(&t->in);
		txn_free(t);
	}
	for (size_t i = 0; i < STORE_NUM_TABLES; i++) {
		json_decref(rows[i]);
		rows[i] = json_array();
	}
}

size_t fake_store_waiting(void)
{
	size_t n = 0;

	list_each(t, &queue, struct store_txn, in) n += t != NULL;
	return n;
}

static json_t *value_json(const struct sql_value *v)
{
	if (!v->is_text)
		return json_integer(v->number);
	return v->text ? json_string(v->text) : json_null();
}

/* What @row has in the columns of the key is what @like has there. */
static bool row_has_key(const struct sql_table *t, const json_t *row, const json_t *like)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->columns[i].is_key && !json_equal(json_object_get(row, t->columns[i].name),
							json_object_get(like, t->columns[i].name)))
			return false;
	return true;
}

static void fake_put(enum store_table table, const struct store_op *op)
{
	const struct sql_table *t = &store_tables[table];
	json_t *row = json_object();

	for (size_t i = 0; i < t->n; i++)
		json_object_set_new(row, t->columns[i].name, value_json(&op->values[i]));
	for (size_t i = 0; i < json_array_size(rows[table]); i++)
		if (row_has_key(t, json_array_get(rows[table], i), row)) {
			json_array_set_new(rows[table], i, row);
			return;
		}
	json_array_append_new(rows[table], row);
}

/* Out of @table goes what has these values in these columns; a number may be the first that
 * stays. */
static void fake_del(enum store_table table, const char *const *columns, bool below,
		     const struct sql_value *v, size_t n)
{
	for (size_t i = 0; i < json_array_size(rows[table]);) {
		const json_t *row = json_array_get(rows[table], i);
		size_t same = 0;

		for (size_t k = 0; k < n; k++) {
			const json_t *has = json_object_get(row, columns[k]);
			json_t *value = value_json(&v[k]);

			if (below ? json_integer_value(has) < v[k].number : json_equal(has, value))
				same++;
			json_decref(value);
		}
		if (same == n)
			json_array_remove(rows[table], i);
		else
			i++;
	}
}

/* What the schema deletes by foreign keys. */
static const struct {
	enum store_table of, too;
	const char *columns[2];
} cascades[] = {
	{ TABLE_IMAGE, TABLE_VERSION, { "image" } },
	{ TABLE_IMAGE, TABLE_BUILD, { "image" } },
	{ TABLE_VERSION, TABLE_BUILD, { "image", "version" } },
	{ TABLE_CONNECTOR, TABLE_CONNECTOR_VERSION, { "connector" } },
};

static void fake_del_row(enum store_table table, const struct store_op *op)
{
	const struct sql_table *t = &store_tables[table];
	const char *columns[SQL_MAX_VALUES];
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		if (t->columns[i].is_key)
			columns[n++] = t->columns[i].name;
	fake_del(table, columns, false, op->values, n);
	for (size_t i = 0; i < ARRAY_SIZE(cascades); i++)
		if (cascades[i].of == table)
			fake_del(cascades[i].too, cascades[i].columns, false, op->values, n);
}

static void op_run(const struct store_op *op)
{
	static const char *const created[] = { "created_ms" };

	if (op->stmt < SQL_UPDATES)
		fake_put((enum store_table)(op->stmt - SQL_PUTS), op);
	else if (op->stmt < SQL_CLEARS)
		fake_del_row((enum store_table)(op->stmt - SQL_DELS), op);
	else
		fake_del(TABLE_TOKEN, created, true, op->values, 1);
}

void fake_store_answer(const struct err *e)
{
	struct store_txn *t = list_first(&queue, struct store_txn, in);

	if (!t)
		abort();
	list_del(&t->in);
	if (!e)
		list_each(op, &t->ops, struct store_op, in_txn) op_run(op);
	if (t->done)
		t->done(t->arg, e ? -1 : 0, e);
	txn_free(t);
}

size_t fake_store_rows(enum fake_table table)
{
	return json_array_size(rows[table]);
}

const char *fake_store_text(enum fake_table table, size_t row, const char *column)
{
	return json_string_value(json_object_get(json_array_get(rows[table], row), column));
}

struct store_txn *store_begin(struct store *s)
{
	return txn_new(s);
}

void store_drop(struct store_txn *t)
{
	if (t)
		txn_free(t);
}

void store_commit(struct store_txn *t, store_done *done, void *arg)
{
	t->done = done;
	t->arg = arg;
	list_add(&queue, &t->in);
}

static void fake_load(const struct sql_table *t, const json_t *json, union store_row *row)
{
	for (size_t i = 0; i < t->n; i++) {
		const json_t *value = json_object_get(json, t->columns[i].name);
		char *at = (char *)row + t->columns[i].offset;
		const char *text = json_string_value(value);
		int64_t number = json_integer_value(value);

		memcpy(at, t->columns[i].is_text ? (const void *)&text : (const void *)&number,
		       sizeof(number));
	}
}

int store_load(struct store *s, const struct store_loader *to, void *arg, struct err *e)
{
	union store_row row;
	const json_t *json;
	size_t i;

	static_assert(sizeof(char *) == sizeof(int64_t), "a text is not as large as a number");
	(void)s;
	(void)e;
	for (size_t table = 0; table < STORE_NUM_TABLES; table++)
		json_array_foreach(rows[table], i, json)
		{
			fake_load(&store_tables[table], json, &row);
			store_tables[table].load(to, arg, &row);
		}
	return 0;
}
