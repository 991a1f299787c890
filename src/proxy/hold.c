#include "proxy/hold.h"

void hold_init(struct hold *h)
{
	*h = (struct hold){ 0 };
	list_init(&h->waiters);
}

void hold_clock_init(struct hold_clock *c)
{
	list_init(&c->all);
}

/* Nearly always behind the last: only one that waits for the second time is older. */
static void clock_insert(struct hold_clock *c, struct waiter *w)
{
	struct list *at = c->all.prev;

	while (at != &c->all &&
	       container_of(at, struct waiter, in_clock)->deadline_ms > w->deadline_ms)
		at = at->prev;
	list_add(at->next, &w->in_clock);
}

bool hold_add(struct hold *h, struct hold_clock *c, struct waiter *w, int64_t deadline_ms,
	      size_t most)
{
	assert(!w->hold);
	if (h->n >= most)
		return false;
	w->hold = h;
	w->deadline_ms = deadline_ms;
	w->unread = 0;
	h->n++;
	list_add(&h->waiters, &w->in_hold);
	clock_insert(c, w);
	return true;
}

bool hold_unread(struct waiter *w, size_t unread, size_t most)
{
	w->hold->unread += unread - w->unread;
	w->unread = unread;
	return w->hold->unread <= most;
}

void hold_remove(struct waiter *w)
{
	if (!w->hold)
		return;
	w->hold->unread -= w->unread;
	w->hold->n--;
	w->hold = NULL;
	list_del(&w->in_hold);
	list_del(&w->in_clock);
}

struct waiter *hold_first(const struct hold *h)
{
	return list_first(&h->waiters, struct waiter, in_hold);
}

struct waiter *hold_late(const struct hold_clock *c, int64_t now_ms)
{
	struct waiter *w = list_first(&c->all, struct waiter, in_clock);

	return w && w->deadline_ms <= now_ms ? w : NULL;
}

int64_t hold_next_ms(const struct hold_clock *c)
{
	struct waiter *w = list_first(&c->all, struct waiter, in_clock);

	return w ? w->deadline_ms : -1;
}
