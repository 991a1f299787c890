#include "proxy/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const enum route_gate gates[ROUTE_NUM_STATES] = {
	[ROUTE_OPEN] = GATE_GO,
	[ROUTE_WAITING] = GATE_HOLD,
	[ROUTE_SLEEPING] = GATE_HOLD,
	[ROUTE_DEAD] = GATE_REFUSE,
};

void route_table_init(struct route_table *t)
{
	hash_init(&t->by_endpoint);
	list_init(&t->active);
}

struct route *route_find(const struct route_table *t, const char *endpoint)
{
	return hash_find(&t->by_endpoint, endpoint, strlen(endpoint), struct route, in_table);
}

static struct route *route_new(struct route_table *t, const struct route_set *row)
{
	struct route *r = xcalloc(1, sizeof(*r));

	r->row.state = ROUTE_DEAD; /* until route_put copies the row */
	held_init(&r->waiting);
	list_init(&r->in_active);
	list_init(&r->in_metered);
	list_init(&r->relays);
	list_init(&r->idle);
	list_init(&r->sessions);
	list_init(&r->lines);
	list_init(&r->published);
	snprintf(r->row.endpoint, sizeof(r->row.endpoint), "%s", row->endpoint);
	hash_add(&t->by_endpoint, &r->in_table, r->row.endpoint, strlen(r->row.endpoint));
	return r;
}

struct route *route_put(struct route_table *t, const struct route_set *row, int64_t now_ms,
			bool *left)
{
	struct route *r = route_find(t, row->endpoint);
	bool was_open, same;

	if (!r)
		r = route_new(t, row);
	was_open = r->row.state == ROUTE_OPEN;
	same = !strcmp(r->row.machine, row->machine);
	*left = was_open &&
		(row->state != ROUTE_OPEN || !same || (!row->http_ingress && !row->shell_ingress));
	if (row->state == ROUTE_OPEN && (!was_open || !same))
		r->opened_ms = now_ms;
	/* A HOLD ends with the connection of control that sent it, and when the route is no longer
	 * OPEN. */
	if (row->state != ROUTE_OPEN || !r->seen)
		r->held = false;
	if (row->state != ROUTE_SLEEPING || !r->seen)
		r->woken = false;
	r->seen = true;
	r->row = *row;
	return r;
}

void route_table_free(struct route_table *t)
{
	hash_free(&t->by_endpoint);
}

void route_unsee(struct route_table *t)
{
	hash_each(r, &t->by_endpoint, struct route, in_table) r->seen = false;
}

struct route *route_unseen(const struct route_table *t)
{
	hash_each(r, &t->by_endpoint, struct route, in_table)
	{
		if (!r->seen)
			return r;
	}
	return NULL;
}

void route_free(struct route_table *t, struct route *r)
{
	assert(!r->waiting.n && list_empty(&r->relays) && list_empty(&r->idle) &&
	       list_empty(&r->sessions) && list_empty(&r->lines) && list_empty(&r->published));
	list_del(&r->in_active);
	list_del(&r->in_metered);
	hash_del(&t->by_endpoint, &r->in_table);
	free(r);
}

enum route_gate route_gate(const struct route *r)
{
	return r->held && r->row.state == ROUTE_OPEN ? GATE_HOLD : gates[r->row.state];
}

bool route_take_wake(struct route *r)
{
	if (r->row.state != ROUTE_SLEEPING || r->woken || !r->waiting.n)
		return false;
	r->woken = true;
	return true;
}

void route_touch(struct route_table *t, struct route *r, int64_t wall_ms)
{
	r->last_byte_ms = wall_ms;
	if (!r->active)
		list_add(&t->active, &r->in_active);
	r->active = true;
}

struct route *route_take_active(struct route_table *t)
{
	struct route *r = list_first(&t->active, struct route, in_active);

	if (!r)
		return NULL;
	list_del(&r->in_active);
	r->active = false;
	return r;
}
