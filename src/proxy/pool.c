#include "proxy/pool.h"

#include <stdlib.h>

struct idle {
	struct list in_route;
	struct upstream *up; /* owned */
	uint16_t port;
};

static struct upstream *idle_take(struct idle *i)
{
	struct upstream *u = i->up;

	list_del(&i->in_route);
	free(i);
	return u;
}

/* An answer came that nobody asked for. */
static void idle_head(struct upstream *u, const struct http_head *h)
{
	(void)h;
	upstream_close(idle_take(upstream_owner(u)));
}

static void idle_failed(struct upstream *u, const char *why)
{
	(void)why;
	idle_take(upstream_owner(u));
}

static void idle_closed(struct upstream *u)
{
	(void)u;
}

static const struct upstream_ops idle_ops = {
	.head = idle_head,
	.failed = idle_failed,
	.closed = idle_closed,
};

void pool_put(struct route *r, uint16_t port, struct upstream *u)
{
	struct idle *i;
	size_t n = 0;

	list_each(it, &r->idle, struct idle, in_route) n++;
	if (n >= LIMIT_PROXY_IDLE)
		upstream_close(idle_take(container_of(r->idle.next, struct idle, in_route)));
	i = xcalloc(1, sizeof(*i));
	i->up = u;
	i->port = port;
	list_add(&r->idle, &i->in_route);
	upstream_set_owner(u, &idle_ops, i);
	upstream_timeout(u, LIMIT_PROXY_IDLE_MS);
}

static struct idle *pool_last(const struct route *r, uint16_t port)
{
	for (struct list *at = r->idle.prev; at != &r->idle; at = at->prev) {
		struct idle *i = container_of(at, struct idle, in_route);

		if (i->port == port && upstream_reusable(i->up))
			return i;
	}
	return NULL;
}

bool pool_has(const struct route *r, uint16_t port)
{
	return pool_last(r, port);
}

struct upstream *pool_take(struct route *r, uint16_t port)
{
	struct idle *i = pool_last(r, port);

	return i ? idle_take(i) : NULL;
}

void pool_drop(struct route *r)
{
	list_each(i, &r->idle, struct idle, in_route) upstream_close(idle_take(i));
}
