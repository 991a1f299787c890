#include "proxy/waiting_client.h"

/* What it sends waits until somebody is there to take it. */
static size_t waiting_client_data(struct conn *conn, const uint8_t *data, size_t size)
{
	(void)conn, (void)data, (void)size;
	return 0;
}

static void waiting_client_end(struct conn *conn)
{
	struct waiting_client *c = conn_owner(conn);

	c->ended = true;
}

static void waiting_client_closed(struct conn *conn)
{
	struct waiting_client *c = conn_owner(conn);
	struct proxy *p = c->caller.proxy;

	c->gone(c);
	queue_arm(p);
}

const struct conn_ops waiting_client_ops = {
	.data = waiting_client_data,
	.end = waiting_client_end,
	.closed = waiting_client_closed,
};
