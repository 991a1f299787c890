#include "proxy/held_requests.h"

void held_init(struct held_requests *h)
{
	*h = (struct held_requests){ 0 };
	list_init(&h->waiters);
}

void held_clock_init(struct held_clock *c)
{
	list_init(&c->all);
}

/* The place is nearly always the end: only a request that waits for the second time has an earlier
 * deadline. */
static void clock_insert(struct held_clock *c, struct waiter *w)
{
	struct list *at = c->all.prev;

	while (at != &c->all &&
	       container_of(at, struct waiter, in_clock)->deadline_ms > w->deadline_ms)
		at = at->prev;
	list_add(at->next, &w->in_clock);
}

void held_take_turn(struct held_requests *h, struct waiter *w)
{
	if (!w->turn)
		w->turn = ++h->turns;
}

/* The place is nearly always the end, as above. */
static void waiters_insert(struct held_requests *h, struct waiter *w)
{
	struct list *at = h->waiters.prev;

	while (at != &h->waiters && container_of(at, struct waiter, in_waiters)->turn > w->turn)
		at = at->prev;
	list_add(at->next, &w->in_waiters);
}

bool held_add(struct held_requests *h, struct held_clock *c, struct waiter *w, int64_t deadline_ms,
	      size_t most)
{
	assert(!w->held_by);
	if (h->n >= most)
		return false;
	w->held_by = h;
	w->deadline_ms = deadline_ms;
	h->unread += w->unread;
	h->n++;
	held_take_turn(h, w);
	waiters_insert(h, w);
	clock_insert(c, w);
	return true;
}

bool held_unread(struct waiter *w, size_t unread, size_t most)
{
	w->held_by->unread += unread - w->unread;
	w->unread = unread;
	return w->held_by->unread <= most;
}

void held_remove(struct waiter *w)
{
	if (!w->held_by)
		return;
	w->held_by->unread -= w->unread;
	w->held_by->n--;
	w->held_by = NULL;
	list_del(&w->in_waiters);
	list_del(&w->in_clock);
}

struct waiter *held_first(const struct held_requests *h)
{
	return list_first(&h->waiters, struct waiter, in_waiters);
}

struct waiter *held_late(const struct held_clock *c, int64_t now_ms)
{
	struct waiter *w = list_first(&c->all, struct waiter, in_clock);

	return w && w->deadline_ms <= now_ms ? w : NULL;
}

int64_t held_next_ms(const struct held_clock *c)
{
	struct waiter *w = list_first(&c->all, struct waiter, in_clock);

	return w ? w->deadline_ms : -1;
}
