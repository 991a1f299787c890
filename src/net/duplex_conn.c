#include <stdlib.h>

#include "net/duplex.h"

struct duplex_conn {
	struct duplex d;
	struct conn *c;
};

static struct conn *duplex_conn(struct duplex *d)
{
	return container_of(d, struct duplex_conn, d)->c;
}

static void duplex_conn_write(struct duplex *d, const void *data, size_t size)
{
	conn_write(duplex_conn(d), data, size);
}

static bool duplex_conn_full(struct duplex *d)
{
	return conn_full(duplex_conn(d));
}

static void duplex_conn_pause(struct duplex *d)
{
	conn_pause(duplex_conn(d));
}

static void duplex_conn_resume(struct duplex *d)
{
	conn_resume(duplex_conn(d));
}

static void duplex_conn_shutdown(struct duplex *d)
{
	conn_shutdown(duplex_conn(d));
}

static void duplex_conn_close(struct duplex *d)
{
	conn_close(duplex_conn(d));
}

static void duplex_conn_close_after_write(struct duplex *d)
{
	conn_close_after_write(duplex_conn(d));
}

static void duplex_conn_timeout(struct duplex *d, int64_t ms)
{
	conn_timeout(duplex_conn(d), ms);
}

static void duplex_conn_unsent(struct duplex *d, int bytes)
{
	conn_unsent(duplex_conn(d), bytes);
}

static size_t duplex_conn_data(struct conn *c, const uint8_t *data, size_t size)
{
	struct duplex *d = conn_owner(c);

	return d->ops->data(d, data, size);
}

static void duplex_conn_end(struct conn *c)
{
	struct duplex *d = conn_owner(c);

	d->ops->end(d);
}

static void duplex_conn_drained(struct conn *c)
{
	struct duplex *d = conn_owner(c);

	d->ops->drained(d);
}

static void duplex_conn_closed(struct conn *c)
{
	struct duplex *d = conn_owner(c);

	d->ops->closed(d);
	free(container_of(d, struct duplex_conn, d));
}

const struct conn_ops duplex_conn_ops = {
	.data = duplex_conn_data,
	.end = duplex_conn_end,
	.drained = duplex_conn_drained,
	.closed = duplex_conn_closed,
};

static const struct duplex_kind duplex_conn_kind = {
	.write = duplex_conn_write,
	.full = duplex_conn_full,
	.pause = duplex_conn_pause,
	.resume = duplex_conn_resume,
	.shutdown = duplex_conn_shutdown,
	.close = duplex_conn_close,
	.close_after_write = duplex_conn_close_after_write,
	.timeout = duplex_conn_timeout,
	.unsent = duplex_conn_unsent,
};

struct duplex *duplex_conn_new(const struct duplex_ops *ops, void *owner)
{
	struct duplex_conn *d = xcalloc(1, sizeof(*d));

	d->d = (struct duplex){ .kind = &duplex_conn_kind, .ops = ops, .owner = owner };
	return &d->d;
}

void duplex_conn_is(struct duplex *d, struct conn *c)
{
	container_of(d, struct duplex_conn, d)->c = c;
}
