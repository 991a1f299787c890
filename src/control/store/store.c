/* store.c - the queue in front of the database and the worker behind it (contract: store.h).
 *
 * The loop's thread builds transactions and hands them over under the lock; the
 * worker takes all that wait, runs them (runner.h) and hands them back.  While the
 * database is away, what is handed over comes back refused at once, and the worker
 * tries to reach it.  Nothing but the two lists, `closing`, `away`, `why` and the eventfd is
 * shared; the runner is the worker's from store_open's return on, but for store_load. */

#include "control/store/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "control/store/runner.h"

/* Between two tries to reach a database that is away: the first one is made at once. */
#define STORE_RETURN_FIRST_MS 10
#define STORE_RETURN_MOST_MS  500

struct store {
	struct runner runner;
	int wake_fd;
	pthread_t worker;
	pthread_mutex_t lock;
	pthread_cond_t work;
	/* Under the lock. */
	struct list queue, finished; /* of struct store_txn */
	bool closing, away;
	struct err why; /* it is away */
	int64_t return_ms;
};

static void store_wake(struct store *s)
{
	uint64_t one = 1;

	while (write(s->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* The next three are called with the lock, and give it up for what takes long. */

static void store_lost(struct store *s)
{
	if (s->away)
		return;
	s->away = true;
	s->return_ms = STORE_RETURN_FIRST_MS;
	s->why = s->runner.why;
	log_err("the store is away error=\"%s\"", s->why.text);
}

/* What waits, up to a dump; or a dump alone, which is the answer. */
static struct store_txn *store_take(struct store *s, struct list *batch)
{
	list_init(batch);
	list_each(t, &s->queue, struct store_txn, in)
	{
		bool dumps = t->dump_fd >= 0;

		if (dumps && !list_empty(batch))
			break;
		list_del(&t->in);
		list_add(batch, &t->in);
		if (dumps)
			return t;
	}
	return NULL;
}

static void store_run(struct store *s)
{
	struct store_txn *dumps;
	struct list batch;

	dumps = store_take(s, &batch);
	pthread_mutex_unlock(&s->lock);
	if (dumps)
		runner_dump(&s->runner, dumps);
	else
		runner_run(&s->runner, &batch);
	pthread_mutex_lock(&s->lock);
	if (runner_is_away(&s->runner))
		store_lost(s);
	list_take(&s->finished, &batch);
	store_wake(s);
}

static void store_return(struct store *s)
{
	struct list settled;
	struct timespec until;
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += s->return_ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	if (!pthread_cond_timedwait(&s->work, &s->lock, &until))
		return;
	list_init(&settled);
	pthread_mutex_unlock(&s->lock);
	rc = runner_return(&s->runner, &settled);
	pthread_mutex_lock(&s->lock);
	s->why = s->runner.why;
	if (rc) {
		s->return_ms *= 2;
		if (s->return_ms > STORE_RETURN_MOST_MS)
			s->return_ms = STORE_RETURN_MOST_MS;
		return;
	}
	s->away = false;
	log_info("the store is back");
	list_take(&s->finished, &settled);
	store_wake(s);
}

static void *store_work(void *arg)
{
	struct store *s = arg;

	pthread_mutex_lock(&s->lock);
	while (!s->closing || (!list_empty(&s->queue) && !s->away)) {
		if (s->away)
			store_return(s);
		else if (!list_empty(&s->queue))
			store_run(s);
		else
			pthread_cond_wait(&s->work, &s->lock);
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

static void store_init(struct store *s)
{
	pthread_condattr_t attr;

	list_init(&s->queue);
	list_init(&s->finished);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->work, &attr);
	pthread_condattr_destroy(&attr);
}

static void store_free(struct store *s)
{
	runner_close(&s->runner);
	fd_close(&s->wake_fd);
	pthread_cond_destroy(&s->work);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct store *store_open(const struct store_place *where, struct err *e)
{
	struct store *s = xcalloc(1, sizeof(*s));
	bool opened;

	store_init(s);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake_fd < 0)
		err_sys(e, "make an eventfd");
	opened = !runner_open(&s->runner, where, e) && s->wake_fd >= 0;
	if (opened) {
		errno = store_start(s);
		if (!errno)
			return s;
		err_sys(e, "start the store's thread");
	}
	store_free(s);
	return NULL;
}

int store_wake_fd(const struct store *s)
{
	return s->wake_fd;
}

void store_dispatch(struct store *s)
{
	struct list ready;
	uint64_t count;

	list_init(&ready);
	while (read(s->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&s->lock);
	list_take(&ready, &s->finished);
	pthread_mutex_unlock(&s->lock);
	while (!list_empty(&ready)) {
		struct store_txn *t = list_first(&ready, struct store_txn, in);

		list_del(&t->in);
		if (t->done)
			t->done(t->arg, t->rc, &t->err);
		txn_free(t);
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
	list_each(t, &s->finished, struct store_txn, in) txn_free(t);
	list_each(t, &s->queue, struct store_txn, in) txn_free(t);
	store_free(s);
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
	struct store *s = t->store;

	t->done = done;
	t->arg = arg;
	pthread_mutex_lock(&s->lock);
	if (s->away) {
		t->rc = -1;
		t->err = s->why;
		list_add(&s->finished, &t->in);
		store_wake(s);
	} else {
		list_add(&s->queue, &t->in);
		pthread_cond_signal(&s->work);
	}
	pthread_mutex_unlock(&s->lock);
}

void store_dump(struct store *s, int fd, store_done *done, void *arg)
{
	struct store_txn *t = txn_new(s);

	t->dump_fd = fd;
	store_commit(t, done, arg);
}

int store_load(struct store *s, const struct store_loader *to, void *arg, struct err *e)
{
	return runner_load(&s->runner, to, arg, e);
}
