#include "control/store/dump.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "ipc/format.h"

#define DUMP_PIECE (256 * KIB)

struct dump {
	int fd;
	struct buf text;
	int64_t n;
	bool failed;
};

static void dump_flush(struct dump *d)
{
	if (!d->failed && d->text.size)
		d->failed = io_write_full(d->fd, d->text.data, d->text.size) != 0;
	buf_clear(&d->text);
}

static void dump_line(struct dump *d, json_t *line)
{
	autofree char *text = json_dumps(line, JSON_COMPACT);

	json_decref(line);
	buf_addf(&d->text, "%s\n", text);
	if (d->text.size > DUMP_PIECE)
		dump_flush(d);
}

static json_t *dump_value(const struct sql_value *v)
{
	if (!v->is_text)
		return json_integer(v->number);
	return v->text ? json_string(v->text) : json_null();
}

static void dump_row(void *arg, enum store_table table, const void *row, int64_t revision)
{
	const struct sql_table *t = &store_tables[table];
	struct sql_value v[SQL_MAX_VALUES];
	json_t *line = json_pack("{s:s}", "table", t->name), *values = json_object();
	struct dump *d = arg;

	(void)revision;
	sql_values(table, row, v);
	for (size_t i = 0; i < t->n; i++)
		json_object_set_new(values, t->columns[i].name, dump_value(&v[i]));
	json_object_set_new(line, "row", values);
	dump_line(d, line);
	d->n++;
}

int dump_write(struct backend *b, int fd, struct err *e)
{
	struct dump d = { .fd = fd };
	int rc;

	dump_line(&d, json_pack("{s:i}", "format", STORE_FORMAT));
	rc = b->ops->load(b, dump_row, &d, e);
	dump_line(&d, json_pack("{s:I}", "rows", (json_int_t)d.n));
	dump_flush(&d);
	if (!rc && (d.failed || fdatasync(fd)))
		rc = err_sys(e, "write the rows of a backup");
	buf_free(&d.text);
	return rc;
}

static void dump_count(void *arg, enum store_table table, const void *row, int64_t revision)
{
	(void)table;
	(void)row;
	(void)revision;
	++*(int64_t *)arg;
}

static int dump_bad(struct err *e, int64_t line)
{
	return err_set(e, ERR_INVALID,
		       "the rows of the backup are damaged in line %lld: take another backup",
		       (long long)line);
}

static int dump_put(struct backend *b, const json_t *line, struct err *e)
{
	const char *name = json_string_value(json_object_get(line, "table"));
	const json_t *row = json_object_get(line, "row");
	struct sql_value v[SQL_MAX_VALUES];
	const struct sql_table *t;
	int64_t changed;
	int table = 0;

	while (name && table < STORE_NUM_TABLES && strcmp(store_tables[table].name, name) != 0)
		table++;
	if (!name || table == STORE_NUM_TABLES || !json_is_object(row))
		return dump_bad(e, 0);
	t = &store_tables[table];
	for (size_t i = 0; i < t->n; i++) {
		const json_t *value = json_object_get(row, t->columns[i].name);

		v[i] = (struct sql_value){ .is_text = t->columns[i].is_text,
					   .text = json_string_value(value),
					   .number = json_integer_value(value) };
	}
	return b->ops->run(b, (enum sql_stmt)(SQL_PUTS + table), v, t->n, &changed, e);
}

/* The first line, the rows, and the last line, which says that none is missing. */
static int dump_put_all(struct backend *b, FILE *file, struct err *e)
{
	autofree char *text = NULL;
	size_t room = 0;
	int64_t n = 0, rows = -1;

	for (; getline(&text, &room, file) > 0 && rows < 0; n++) {
		json_auto_t *line = json_loads(text, 0, NULL);
		const json_t *format = json_object_get(line, "format");

		if (!line || (n == 0) != json_is_integer(format))
			return dump_bad(e, n + 1);
		if (json_integer_value(format) > STORE_FORMAT)
			return err_set(e, ERR_INVALID,
				       "the backup has format %lld and this doze knows %d: use the "
				       "doze that made it, or a newer one",
				       (long long)json_integer_value(format), STORE_FORMAT);
		if (json_object_get(line, "rows"))
			rows = json_integer_value(json_object_get(line, "rows"));
		else if (n && dump_put(b, line, e))
			return -1;
	}
	return rows == n - 2 ? 0 : dump_bad(e, n);
}

static int dump_clear(struct backend *b, struct err *e)
{
	int64_t changed;

	for (int i = STORE_NUM_TABLES - 1; i >= 0; i--)
		if (b->ops->run(b, (enum sql_stmt)(SQL_CLEARS + i), NULL, 0, &changed, e))
			return -1;
	return 0;
}

int dump_check_empty(struct backend *b, struct err *e)
{
	int64_t there = 0;

	if (b->ops->load(b, dump_count, &there, e))
		return -1;
	return there ? err_set(e, ERR_CONFLICT,
			       "the store has %lld rows already: 'doze restore --force' replaces "
			       "them, and without the file control/restore.rows they stay",
			       (long long)there)
		     : 0;
}

int dump_read(struct backend *b, int fd, struct err *e)
{
	FILE *file = fdopen(dup(fd), "r");
	int rc = -1;

	if (!file)
		return err_sys(e, "read the rows of a backup");
	if (!b->ops->begin(b, e) && !dump_clear(b, e) && !dump_put_all(b, file, e))
		rc = b->ops->commit(b, e);
	if (rc)
		b->ops->rollback(b);
	fclose(file);
	return rc;
}
