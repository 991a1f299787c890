#include "control/store/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "control/store/dump.h"
#include "control/store/postgres.h"
#include "control/store/sqlite.h"

/* What to do with rows that are there already stands in the file's name. */
#define RESTORE_NEW   "restore.rows"
#define RESTORE_FORCE "restore.force"

/* Once the store is known to be empty, the file is one that may replace rows: if control dies
 * between the commit and the removal, the same rows take their own place once more. */
static int runner_begin_restore(struct runner *r, int dir, struct err *e)
{
	if (faccessat(dir, RESTORE_NEW, F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (dump_check_empty(r->backend, e))
		return -1;
	return renameat(dir, RESTORE_NEW, dir, RESTORE_FORCE) || fsync(dir)
		       ? err_sys(e, "rename control/" RESTORE_NEW)
		       : 0;
}

static int runner_restore(struct runner *r, int dir, struct err *e)
{
	autoclose int fd = -1;

	if (runner_begin_restore(r, dir, e))
		return -1;
	fd = io_open_below(dir, RESTORE_FORCE, O_RDONLY, 0);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return err_set(e, ERR_INTERNAL, "control/" RESTORE_FORCE " cannot be read");
	if (dump_read(r->backend, fd, e))
		return -1;
	if (unlinkat(dir, RESTORE_FORCE, 0) || fsync(dir))
		return err_sys(e, "remove control/" RESTORE_FORCE);
	log_info("the rows of a backup are in the store");
	return 0;
}

int runner_open(struct runner *r, const struct store_place *where, struct err *e)
{
	revisions_init(&r->revisions);
	list_init(&r->doubt);
	r->backend = where->url && *where->url ? postgres_open(where, e) : sqlite_open(where, e);
	return r->backend && !runner_restore(r, where->dir, e) ? 0 : -1;
}

void runner_close(struct runner *r)
{
	list_each(t, &r->doubt, struct store_txn, in) txn_free(t);
	revisions_free(&r->revisions);
	if (r->backend)
		r->backend->ops->close(r->backend);
}

struct runner_loading {
	struct runner *runner;
	const struct store_loader *to;
	void *arg;
	struct buf path;
};

static void runner_row(void *arg, enum store_table table, const void *row, int64_t revision)
{
	struct runner_loading *l = arg;

	if (store_tables[table].root) {
		buf_clear(&l->path);
		sql_path(table, row, &l->path);
		revisions_loaded(&l->runner->revisions, buf_str(&l->path), revision);
	}
	store_tables[table].load(l->to, l->arg, row);
}

int runner_load(struct runner *r, const struct store_loader *to, void *arg, struct err *e)
{
	struct runner_loading l = { .runner = r, .to = to, .arg = arg };
	int rc = r->backend->ops->load(r->backend, runner_row, &l, e);

	buf_free(&l.path);
	return rc;
}

/* What the transaction asked for, as the statement that meets this revision alone. */
static enum sql_stmt runner_stmt(const struct store_op *op, const struct revision *of)
{
	return op->stmt < SQL_UPDATES && of->now ? op->stmt + SQL_UPDATES - SQL_PUTS : op->stmt;
}

static int runner_run_row(struct runner *r, struct store_op *op, struct err *e)
{
	struct revision *of = revisions_touch(&r->revisions, op->path);
	bool deletes = op->stmt >= SQL_DELS;
	size_t n = op->n;
	int64_t changed = 0;

	if (deletes && !of->now)
		return 0;
	if (of->now)
		op->values[n++] = (struct sql_value){ .number = of->now };
	if (r->backend->ops->run(r->backend, runner_stmt(op, of), op->values, n, &changed, e))
		return -1;
	if (changed != 1)
		return err_set(e, ERR_CONFLICT,
			       "another writer has changed '%s' in the store: start this doze "
			       "again, so that it reads what is there now",
			       op->path);
	of->now = deletes ? 0 : of->now + 1;
	return 0;
}

static int runner_run_txn(struct runner *r, struct store_txn *t, struct err *e)
{
	int64_t changed;

	list_each(op, &t->ops, struct store_op, in_txn)
	{
		if (op->path ? runner_run_row(r, op, e)
			     : r->backend->ops->run(r->backend, op->stmt, op->values, op->n,
						    &changed, e))
			return -1;
	}
	return 0;
}

static int runner_run_all(struct runner *r, struct list *txns, struct err *e)
{
	list_each(t, txns, struct store_txn, in)
	{
		if (runner_run_txn(r, t, e))
			return -1;
	}
	return 0;
}

static int runner_run_list(struct runner *r, struct list *txns, struct err *e)
{
	struct backend *b = r->backend;
	bool done = !b->ops->begin(b, e) && !runner_run_all(r, txns, e) && !b->ops->commit(b, e);

	if (b->away)
		r->why = *e;
	if (b->in_doubt)
		return -1;
	if (!done)
		b->ops->rollback(b);
	revisions_settle(&r->revisions, done);
	return done ? 0 : -1;
}

static void runner_run_alone(struct runner *r, struct store_txn *t)
{
	struct list alone, *next = t->in.next;

	list_del(&t->in);
	list_init(&alone);
	list_add(&alone, &t->in);
	t->rc = runner_run_list(r, &alone, &t->err);
	list_del(&t->in);
	/* It returns to its place. */
	list_add(r->backend->in_doubt ? &r->doubt : next, &t->in);
}

void runner_run(struct runner *r, struct list *txns)
{
	struct err e;

	if (!runner_run_list(r, txns, &e))
		return;
	if (r->backend->in_doubt) {
		list_take(&r->doubt, txns);
		return;
	}
	list_each(t, txns, struct store_txn, in)
	{
		if (e.kind == ERR_UNAVAILABLE) {
			t->rc = -1;
			t->err = e;
			continue;
		}
		runner_run_alone(r, t);
		if (t->rc && t->err.kind == ERR_UNAVAILABLE)
			e = t->err; /* it meets all the others too */
	}
}

void runner_dump(struct runner *r, struct store_txn *t)
{
	t->rc = dump_write(r->backend, t->dump_fd, &t->err);
	if (r->backend->away)
		r->why = t->err;
}

bool runner_is_away(const struct runner *r)
{
	return r->backend->away;
}

int runner_return(struct runner *r, struct list *settled)
{
	struct backend *b = r->backend;
	bool took_place = false;

	if (b->ops->connect(b, &r->why) ||
	    (b->in_doubt && b->ops->settle(b, &took_place, &r->why))) {
		r->why.kind = ERR_UNAVAILABLE;
		return -1;
	}
	if (b->in_doubt)
		revisions_settle(&r->revisions, took_place);
	b->in_doubt = false;
	while (!list_empty(&r->doubt)) {
		struct store_txn *t = list_first(&r->doubt, struct store_txn, in);

		t->rc = took_place ? 0 : -1;
		if (!took_place)
			t->err = r->why;
		list_del(&t->in);
		list_add(settled, &t->in);
	}
	return 0;
}
