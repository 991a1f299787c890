#include "proxy/tunnel.h"

#include <stdlib.h>

struct tunnel {
	struct link link;
	struct proxy *proxy;    /* borrowed */
	struct route *route;    /* borrowed; NULL: being cut */
	struct duplex *ends[2]; /* owned; NULL: closed */
	bool ended[2];          /* it will send no more */
};

static size_t tunnel_side(const struct tunnel *t, const struct duplex *d)
{
	return t->ends[1] == d;
}

static size_t tunnel_data(struct duplex *d, const uint8_t *data, size_t size)
{
	struct tunnel *t = d->owner;
	struct duplex *other = t->ends[!tunnel_side(t, d)];

	if (!other || !t->route)
		return size;
	control_touch(t->proxy, t->route);
	duplex_write(other, data, size);
	if (duplex_full(other))
		duplex_pause(d);
	return size;
}

static void tunnel_drained(struct duplex *d)
{
	struct tunnel *t = d->owner;
	struct duplex *other = t->ends[!tunnel_side(t, d)];

	if (other)
		duplex_resume(other);
}

static void tunnel_end(struct duplex *d)
{
	struct tunnel *t = d->owner;
	size_t side = tunnel_side(t, d);

	t->ended[side] = true;
	if (!t->ends[!side])
		return;
	duplex_shutdown(t->ends[!side]);
	if (t->ended[!side])
		duplex_close_after_write(d);
}

static void tunnel_closed(struct duplex *d)
{
	struct tunnel *t = d->owner;
	size_t side = tunnel_side(t, d);

	t->ends[side] = NULL;
	t->route = NULL;
	list_del(&t->link.in_route);
	if (t->ends[!side])
		duplex_close_after_write(t->ends[!side]);
	else
		free(t);
}

static const struct duplex_ops tunnel_ops = {
	.data = tunnel_data,
	.end = tunnel_end,
	.drained = tunnel_drained,
	.closed = tunnel_closed,
};

static void tunnel_cut(struct link *l)
{
	struct tunnel *t = container_of(l, struct tunnel, link);

	t->route = NULL;
	list_del(&t->link.in_route);
	for (size_t i = 0; i < ARRAY_SIZE(t->ends); i++)
		if (t->ends[i])
			duplex_close(t->ends[i]);
}

void tunnel_start(struct proxy *p, struct route *route, struct http_exchange *x, struct upstream *u)
{
	struct tunnel *t = xcalloc(1, sizeof(*t));

	t->proxy = p;
	t->route = route;
	t->link.cut = tunnel_cut;
	list_add(&route->relays, &t->link.in_route);
	t->ends[0] = http_take_duplex(x, &tunnel_ops, t);
	t->ends[1] = duplex_conn_new(&tunnel_ops, t);
	duplex_conn_is(t->ends[1], upstream_take_conn(u, &duplex_conn_ops, t->ends[1]));
	for (size_t i = 0; i < ARRAY_SIZE(t->ends); i++)
		duplex_timeout(t->ends[i], p->conf->clients.tunnel_timeout_ms);
}
