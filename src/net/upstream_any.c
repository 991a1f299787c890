/* upstream_any.c - a request, whatever carries it. */

#include "net/upstream_carrier.h"

void *upstream_owner(const struct upstream *u)
{
	return u->owner;
}

void upstream_set_owner(struct upstream *u, const struct upstream_ops *ops, void *owner)
{
	assert(upstream_reusable(u));
	u->ops = ops;
	u->owner = owner;
}

bool upstream_request(struct upstream *u, const char *method, const char *target,
		      const struct http_header *headers, size_t n, int64_t length)
{
	return u->carrier->request(u, method, target, headers, n, length);
}

void upstream_push(struct upstream *u)
{
	u->carrier->push(u);
}

bool upstream_send_body(struct upstream *u, const void *data, size_t size)
{
	return u->carrier->send_body(u, data, size);
}

void upstream_send_end(struct upstream *u)
{
	u->carrier->send_trailers(u, NULL, 0);
}

void upstream_send_trailers(struct upstream *u, const struct http_header *fields, size_t n)
{
	u->carrier->send_trailers(u, fields, n);
}

void upstream_read_more(struct upstream *u)
{
	u->carrier->read_more(u);
}

bool upstream_answered(const struct upstream *u)
{
	return u->carrier->answered(u);
}

enum upstream_loss upstream_loss(const struct upstream *u)
{
	return u->loss;
}

uint32_t upstream_reset(const struct upstream *u)
{
	return u->reset;
}

bool upstream_reusable(const struct upstream *u)
{
	return u->carrier->reusable && u->carrier->reusable(u);
}

bool upstream_is_quiet(const struct upstream *u)
{
	return u->carrier->is_quiet && u->carrier->is_quiet(u);
}

void upstream_limit(struct upstream *u, int64_t silence_ms)
{
	u->carrier->limit(u, silence_ms);
}

bool upstream_timed_out(const struct upstream *u)
{
	return u->carrier->timed_out(u);
}

void upstream_timeout(struct upstream *u, int64_t ms)
{
	if (u->carrier->timeout)
		u->carrier->timeout(u, ms);
}

void upstream_close(struct upstream *u)
{
	u->carrier->close(u);
}

struct conn *upstream_take_conn(struct upstream *u, const struct conn_ops *ops, void *owner)
{
	return u->carrier->take_conn(u, ops, owner);
}
