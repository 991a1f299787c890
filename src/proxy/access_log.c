#include "proxy/access_log.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"

#define ACCESS_LOG_MOST  (4 * MIB)  /* that wait for the disk */
#define ACCESS_LOG_BATCH (64 * KIB) /* given to the thread at once ... */
#define ACCESS_LOG_MS    200        /* ... or after this time */

struct access_log {
	uv_timer_t timer;
	struct buf batch; /* the loop's own */
	uint64_t left_out;
	bool on;

	pthread_t thread;
	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t more;
	struct buf waiting;
	int fd, next; /* owned; -1: none */
	bool end, runs;
};

/* With the lock held.  Returns what is to be written. */
static struct buf access_log_take(struct access_log *a, int *fd)
{
	struct buf taken;

	while (!a->waiting.size && !a->end && a->next < 0)
		pthread_cond_wait(&a->more, &a->lock);
	if (a->next >= 0) {
		fd_close(&a->fd);
		a->fd = a->next;
		a->next = -1;
	}
	taken = a->waiting;
	a->waiting = (struct buf){ 0 };
	*fd = a->fd;
	return taken;
}

static void *access_log_run(void *arg)
{
	struct access_log *a = arg;
	bool end = false;

	pthread_mutex_lock(&a->lock);
	a->runs = true;
	pthread_cond_signal(&a->more);
	while (!end) {
		int fd;
		autobuf struct buf text = access_log_take(a, &fd);

		end = a->end;
		pthread_mutex_unlock(&a->lock);
		/* What a full disk does not take is lost; the next lines may find room. */
		if (fd >= 0 && text.size)
			(void)!io_write_full(fd, text.data, text.size);
		pthread_mutex_lock(&a->lock);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

static void access_log_flush(struct access_log *a)
{
	bool room;

	if (!a->batch.size)
		return;
	pthread_mutex_lock(&a->lock);
	room = a->waiting.size < ACCESS_LOG_MOST;
	if (room)
		buf_add(&a->waiting, a->batch.data, a->batch.size);
	pthread_cond_signal(&a->more);
	pthread_mutex_unlock(&a->lock);
	for (size_t i = 0; !room && i < a->batch.size; i++)
		a->left_out += a->batch.data[i] == '\n';
	buf_clear(&a->batch);
}

static void access_log_tick(uv_timer_t *timer)
{
	struct access_log *a = timer->data;

	access_log_flush(a);
	if (!a->left_out)
		return;
	log_warn("the access log's disk is too slow, and lines are left out n=%llu",
		 (unsigned long long)a->left_out);
	a->left_out = 0;
}

struct access_log *access_log_new(uv_loop_t *loop, struct err *e)
{
	struct access_log *a = xcalloc(1, sizeof(*a));
	sigset_t all, before;
	int rc;

	a->fd = a->next = -1;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->more, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&a->thread, NULL, access_log_run, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc) {
		err_set(e, ERR_INTERNAL, "start the access log's thread");
		free(a);
		return NULL;
	}
	/* A thread that begins makes system calls that the filter would refuse. */
	pthread_mutex_lock(&a->lock);
	while (!a->runs)
		pthread_cond_wait(&a->more, &a->lock);
	pthread_mutex_unlock(&a->lock);
	uv_timer_init(loop, &a->timer);
	a->timer.data = a;
	return a;
}

void access_log_set(struct access_log *a, int fd)
{
	a->on = true;
	pthread_mutex_lock(&a->lock);
	fd_close(&a->next);
	a->next = fd;
	pthread_cond_signal(&a->more);
	pthread_mutex_unlock(&a->lock);
}

bool access_log_is_on(const struct access_log *a)
{
	return a->on;
}

void access_log_add(struct access_log *a, const struct buf *line)
{
	buf_add(&a->batch, line->data, line->size);
	if (a->batch.size >= ACCESS_LOG_BATCH)
		access_log_flush(a);
	else if (!uv_is_active((uv_handle_t *)&a->timer))
		uv_timer_start(&a->timer, access_log_tick, ACCESS_LOG_MS, 0);
}

void access_log_close(struct access_log *a)
{
	uv_close((uv_handle_t *)&a->timer, NULL);
}

void access_log_free(struct access_log *a)
{
	access_log_flush(a);
	pthread_mutex_lock(&a->lock);
	a->end = true;
	pthread_cond_signal(&a->more);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	fd_close(&a->fd);
	fd_close(&a->next);
	buf_free(&a->batch);
	buf_free(&a->waiting);
	free(a);
}
