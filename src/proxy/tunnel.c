#include "proxy/tunnel.h"

#include <stdlib.h>

struct tunnel {
	struct link link;
	struct proxy *proxy;  /* borrowed */
	struct route *route;  /* borrowed; NULL: being cut */
	struct conn *ends[2]; /* owned; NULL: closed */
	bool ended[2];        /* it will send no more */
};

static size_t tunnel_side(const struct tunnel *t, const struct conn *c)
{
	return t->ends[1] == c;
}

static size_t tunnel_data(struct conn *c, const uint8_t *data, size_t size)
{
	struct tunnel *t = conn_owner(c);
	struct conn *other = t->ends[!tunnel_side(t, c)];

	if (!other || !t->route)
		return size;
	control_touch(t->proxy, t->route);
	conn_write(other, data, size);
	if (conn_full(other))
		conn_pause(c);
	return size;
}

static void tunnel_drained(struct conn *c)
{
	struct tunnel *t = conn_owner(c);
	struct conn *other = t->ends[!tunnel_side(t, c)];

	if (other)
		conn_resume(other);
}

static void tunnel_end(struct conn *c)
{
	struct tunnel *t = conn_owner(c);
	size_t side = tunnel_side(t, c);

	t->ended[side] = true;
	if (!t->ends[!side])
		return;
	conn_shutdown(t->ends[!side]);
	if (t->ended[!side])
		conn_close_after_write(c);
}

static void tunnel_closed(struct conn *c)
{
	struct tunnel *t = conn_owner(c);
	size_t side = tunnel_side(t, c);

	t->ends[side] = NULL;
	t->route = NULL;
	list_del(&t->link.in_route);
	if (t->ends[!side])
		conn_close_after_write(t->ends[!side]);
	else
		free(t);
}

static const struct conn_ops tunnel_ops = {
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
			conn_close(t->ends[i]);
}

void tunnel_start(struct proxy *p, struct route *route, struct http_exchange *x, struct upstream *u)
{
	struct tunnel *t = xcalloc(1, sizeof(*t));

	t->proxy = p;
	t->route = route;
	t->link.cut = tunnel_cut;
	list_add(&route->relays, &t->link.in_route);
	t->ends[0] = http_take_conn(x, &tunnel_ops, t);
	t->ends[1] = upstream_take_conn(u, &tunnel_ops, t);
	for (size_t i = 0; i < ARRAY_SIZE(t->ends); i++)
		conn_timeout(t->ends[i], p->conf->clients.tunnel_timeout_ms);
}
