#include "proxy/pool.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/spare.h"

struct idle {
	struct list in_route;
	struct route *route; /* borrowed */
	struct upstream *up; /* owned */
	int64_t since_ms;
	uint16_t port;
};

static struct spare idle_spares = SPARE(sizeof(struct idle));

static struct upstream *idle_take(struct idle *i)
{
	struct upstream *u = i->up;

	list_del(&i->in_route);
	i->route->n_idle--;
	spare_give(&idle_spares, i);
	return u;
}

static struct learned *pool_learned(struct route *r, uint16_t port)
{
	for (size_t i = 0; i < ROUTE_LEARNED; i++)
		if (r->learned[i].port == port)
			return &r->learned[i];
	return NULL;
}

/* Half of what was seen, because the next one may be closed a little earlier.  What is seen once is
 * forgotten again: an application that is started anew closes all its connections. */
void pool_learn(struct route *r, uint16_t port, int64_t idle_ms)
{
	struct learned *l = pool_learned(r, port);

	for (size_t i = 0; !l && i < ROUTE_LEARNED; i++)
		if (!r->learned[i].port)
			l = &r->learned[i];
	if (!l) {
		l = &r->learned[0];
		for (size_t i = 1; i < ROUTE_LEARNED; i++)
			l = r->learned[i].until_ms < l->until_ms ? &r->learned[i] : l;
	}
	*l = (struct learned){ port, idle_ms / 2, clock_mono_ms() + LIMIT_PROXY_LEARNED_MS };
}

static int64_t pool_keep_ms(struct route *r, uint16_t port, int64_t keep_ms)
{
	struct learned *l = pool_learned(r, port);

	if (l && clock_mono_ms() >= l->until_ms)
		*l = (struct learned){ 0 };
	else if (l && l->keep_ms < keep_ms)
		keep_ms = l->keep_ms;
	return keep_ms < LIMIT_PROXY_IDLE_MS ? keep_ms : LIMIT_PROXY_IDLE_MS;
}

int64_t pool_read_keep_alive(const char *value)
{
	static const char name[] = "timeout=";
	int64_t ms;

	for (const char *at = value; at && *at; at += strcspn(at, ", \t")) {
		at += strspn(at, ", \t");
		if (strncasecmp(at, name, sizeof(name) - 1) != 0)
			continue;
		ms = strtoll(at + sizeof(name) - 1, NULL, 10);
		if (ms < 0 || ms > LIMIT_PROXY_IDLE_MS / 1000)
			break;
		return ms * 1000 / 2;
	}
	return LIMIT_PROXY_IDLE_MS;
}

/* An answer came that nobody asked for. */
static void idle_head(struct upstream *u, const struct http_head *h)
{
	(void)h;
	upstream_close(idle_take(upstream_owner(u)));
}

static void idle_failed(struct upstream *u, const char *why)
{
	struct idle *i = upstream_owner(u);

	(void)why;
	if (!upstream_timed_out(u))
		pool_learn(i->route, i->port, clock_mono_ms() - i->since_ms);
	idle_take(i);
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

void pool_put(struct route *r, uint16_t port, struct upstream *u, int64_t keep_ms)
{
	struct idle *i;

	keep_ms = pool_keep_ms(r, port, keep_ms);
	if (!keep_ms) {
		upstream_close(u);
		return;
	}
	if (r->n_idle >= LIMIT_PROXY_IDLE)
		upstream_close(idle_take(container_of(r->idle.next, struct idle, in_route)));
	i = spare_take(&idle_spares, sizeof(*i));
	i->route = r;
	i->up = u;
	i->port = port;
	i->since_ms = clock_mono_ms();
	list_add(&r->idle, &i->in_route);
	r->n_idle++;
	upstream_set_owner(u, &idle_ops, i);
	upstream_timeout(u, keep_ms);
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

/* One that the application has ended in this very moment is not used: its end can be read. */
struct upstream *pool_take(struct route *r, uint16_t port, int64_t *idle_ms)
{
	struct idle *i;

	while ((i = pool_last(r, port))) {
		struct upstream *u;

		*idle_ms = clock_mono_ms() - i->since_ms;
		u = idle_take(i);
		if (upstream_is_quiet(u))
			return u;
		pool_learn(r, port, *idle_ms);
		upstream_set_owner(u, &idle_ops, NULL);
		upstream_close(u);
	}
	return NULL;
}

void pool_drop(struct route *r)
{
	list_each(i, &r->idle, struct idle, in_route) upstream_close(idle_take(i));
}

void pool_drop_port(struct route *r, uint16_t port)
{
	list_each(i, &r->idle, struct idle, in_route)
	{
		if (i->port == port)
			upstream_close(idle_take(i));
	}
}
