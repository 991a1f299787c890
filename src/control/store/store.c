/* store.c - the queue in front of SQLite and the worker behind it (contract: store.h).
 *
 * The loop's thread builds transactions and hands them over under the lock; the
 * worker takes all that wait, runs them as one SQLite transaction and hands them
 * back.  If that fails each runs alone, so that an error meets only whom it
 * concerns.  Nothing but the two lists, `closing` and the eventfd is shared; the
 * database is the worker's from store_open's return on, but for store_load. */

#include "control/store/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "control/store/txn.h"

struct store {
	sqlite3 *db;
	sqlite3_stmt *stmts[SQL_NUM_STMTS];
	int wake_fd;
	pthread_t worker;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct list queue, finished; /* of struct store_txn; under the lock */
	bool closing;                /* under the lock */
};

static int store_run_ops(struct store *s, struct store_txn *t, struct err *e)
{
	list_each(op, &t->ops, struct store_op, in_txn)
	{
		if (sql_run(s->db, s->stmts[op->stmt], op->values, op->n, e))
			return -1;
	}
	return 0;
}

static int store_run_list(struct store *s, struct list *txns, struct err *e)
{
	if (sql_exec(s->db, "BEGIN IMMEDIATE", e))
		return -1;
	list_each(t, txns, struct store_txn, in)
	{
		if (store_run_ops(s, t, e))
			goto rollback;
	}
	if (!sql_exec(s->db, "COMMIT", e))
		return 0;
rollback:
	/* After some errors SQLite has rolled back by itself. */
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}

static void store_run_batch(struct store *s, struct list *batch)
{
	struct err e;

	if (!store_run_list(s, batch, &e))
		return;
	list_each(t, batch, struct store_txn, in)
	{
		struct list alone, *next = t->in.next;

		list_del(&t->in);
		list_init(&alone);
		list_add(&alone, &t->in);
		t->rc = store_run_list(s, &alone, &t->err);
		list_del(&t->in);
		list_add(next, &t->in); /* it returns to its place */
	}
}

static void list_move(struct list *from, struct list *to)
{
	while (!list_empty(from)) {
		struct list *item = from->next;

		list_del(item);
		list_add(to, item);
	}
}

static void *store_work(void *arg)
{
	struct store *s = arg;
	struct list batch;
	uint64_t one = 1;

	list_init(&batch);
	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (list_empty(&s->queue) && !s->closing)
			pthread_cond_wait(&s->work, &s->lock);
		if (list_empty(&s->queue))
			break;
		list_move(&s->queue, &batch);
		pthread_mutex_unlock(&s->lock);
		store_run_batch(s, &batch);
		pthread_mutex_lock(&s->lock);
		list_move(&batch, &s->finished);
		while (write(s->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* The worker blocks every signal: they are for the loop. */
static int store_start(struct store *s)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&s->worker, NULL, store_work, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

struct store *store_open(const struct store_place *where, struct err *e)
{
	struct store *s = xcalloc(1, sizeof(*s));
	int rc;

	list_init(&s->queue);
	list_init(&s->finished);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake_fd < 0) {
		err_sys(e, "make an eventfd");
		goto fail;
	}
	s->db = sql_open(where, e);
	if (!s->db || sql_prepare(s->db, s->stmts, e))
		goto fail;
	rc = store_start(s);
	errno = rc;
	if (!rc)
		return s;
	err_sys(e, "start the store's thread");
fail:
	for (size_t i = 0; i < SQL_NUM_STMTS; i++)
		sqlite3_finalize(s->stmts[i]);
	sqlite3_close(s->db);
	fd_close(&s->wake_fd);
	free(s);
	return NULL;
}

int store_wake_fd(const struct store *s)
{
	return s->wake_fd;
}

static void store_txn_free(struct store_txn *t)
{
	list_each(op, &t->ops, struct store_op, in_txn)
	{
		for (size_t i = 0; i < op->n; i++)
			free((void *)(uintptr_t)op->values[i].text);
		free(op);
	}
	free(t);
}

void store_drop(struct store_txn *t)
{
	if (t)
		store_txn_free(t);
}

void store_dispatch(struct store *s)
{
	struct list ready;
	uint64_t count;

	list_init(&ready);
	while (read(s->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&s->lock);
	list_move(&s->finished, &ready);
	pthread_mutex_unlock(&s->lock);
	while (!list_empty(&ready)) {
		struct store_txn *t = list_first(&ready, struct store_txn, in);

		list_del(&t->in);
		if (t->done)
			t->done(t->arg, t->rc, &t->err);
		store_txn_free(t);
	}
}

void store_close(struct store *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->worker, NULL);
	list_each(t, &s->finished, struct store_txn, in) store_txn_free(t);
	for (size_t i = 0; i < SQL_NUM_STMTS; i++)
		sqlite3_finalize(s->stmts[i]);
	sqlite3_close(s->db);
	fd_close(&s->wake_fd);
	pthread_cond_destroy(&s->work);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct store_txn *store_begin(struct store *s)
{
	struct store_txn *t = xcalloc(1, sizeof(*t));

	t->store = s;
	list_init(&t->in);
	list_init(&t->ops);
	return t;
}

void store_add(struct store_txn *t, enum sql_stmt stmt, const struct sql_value *v, size_t n)
{
	struct store_op *op = xcalloc(1, sizeof(*op));

	op->stmt = stmt;
	op->n = n;
	for (size_t i = 0; i < n; i++) {
		op->values[i] = v[i];
		if (v[i].text)
			op->values[i].text = xstrdup(v[i].text);
	}
	list_add(&t->ops, &op->in_txn);
}

void store_commit(struct store_txn *t, store_done *done, void *arg)
{
	struct store *s = t->store;

	t->done = done;
	t->arg = arg;
	pthread_mutex_lock(&s->lock);
	list_add(&s->queue, &t->in);
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
}

int store_load(struct store *s, const struct store_loader *to, void *arg, struct err *e)
{
	return sql_load(s->db, to, arg, e);
}
