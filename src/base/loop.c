#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

#define LOOP_BATCH 32

struct loop {
	int epoll_fd;
	bool stopping;
	struct list timers;
	struct epoll_event batch[LOOP_BATCH]; /* the events that loop_run is handling */
	int n_batch;
	void (*sleep)(void *arg), (*wake)(void *arg); /* both or none */
	void *guard;                                  /* borrowed: their argument */
};

struct loop *loop_new(struct err *e)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	list_init(&l->timers);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		err_sys(e, "make an epoll instance");
		free(l);
		return NULL;
	}
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	close(l->epoll_fd);
	free(l);
}

int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events,
	       void (*ready)(struct watch *w, uint32_t events), struct err *e)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	assert(!w->active);
	*w = (struct watch){ .fd = fd, .events = events, .ready = ready };
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev))
		return err_sys(e, "watch descriptor %d", fd);
	w->active = true;
	return 0;
}

void loop_rewatch(struct loop *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (!w->active || w->events == events)
		return;
	w->events = events;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev);
}

/* A later event of the same batch may belong to this watch; it is dropped. */
void loop_unwatch(struct loop *l, struct watch *w)
{
	if (!w->active)
		return;
	w->active = false;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	for (int i = 0; i < l->n_batch; i++)
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
}

void loop_timer(struct loop *l, struct timer *t, int64_t delay_ms, void (*fire)(struct timer *t))
{
	struct list *before = &l->timers;

	loop_untimer(l, t);
	t->at_ms = clock_mono_ms() + delay_ms;
	t->fire = fire;
	t->active = true;
	list_each(other, &l->timers, struct timer, in)
	{
		if (other->at_ms > t->at_ms) {
			before = &other->in;
			break;
		}
	}
	list_add(before, &t->in);
}

void loop_untimer(struct loop *l, struct timer *t)
{
	(void)l;
	if (!t->active)
		return;
	t->active = false;
	list_del(&t->in);
}

static void loop_fire(struct loop *l)
{
	int64_t now = clock_mono_ms();
	struct timer *t;

	while ((t = list_first(&l->timers, struct timer, in)) && t->at_ms <= now) {
		loop_untimer(l, t);
		t->fire(t);
	}
}

static int loop_wait_ms(const struct loop *l)
{
	const struct timer *t = list_first(&l->timers, struct timer, in);
	int64_t left;

	if (!t)
		return -1;
	left = t->at_ms - clock_mono_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

void loop_guard(struct loop *l, void (*sleep)(void *arg), void (*wake)(void *arg), void *arg)
{
	l->sleep = sleep;
	l->wake = wake;
	l->guard = arg;
}

static int loop_wait(struct loop *l)
{
	int wait_ms = loop_wait_ms(l), n, kept;

	if (l->sleep)
		l->sleep(l->guard);
	n = epoll_wait(l->epoll_fd, l->batch, LOOP_BATCH, wait_ms);
	kept = errno;
	if (l->wake)
		l->wake(l->guard);
	errno = kept;
	return n;
}

int loop_run(struct loop *l, struct err *e)
{
	l->stopping = false;
	while (!l->stopping) {
		int n = loop_wait(l);

		if (n < 0 && errno != EINTR)
			return err_sys(e, "wait for events");
		l->n_batch = n < 0 ? 0 : n;
		for (int i = 0; i < l->n_batch; i++) {
			struct watch *w = l->batch[i].data.ptr;

			/* A watch is inactive if another thread has unwatched it between the end of
			 * the wait and the wake. */
			if (w && w->active)
				w->ready(w, l->batch[i].events);
		}
		l->n_batch = 0;
		loop_fire(l);
	}
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
}
