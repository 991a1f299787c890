#include "proxy/published_client.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/caller.h"
#include "proxy/recording.h"
#include "proxy/tunnel.h"

struct published_client {
	struct caller caller;
	struct list in_publication;
	struct conn *conn; /* owned; NULL: a tunnel has it */
	uint16_t port;     /* of the host */
	bool ended;        /* it will send no more */
};

static void client_leave(struct published_client *c)
{
	if (c->caller.route)
		publication_leave(c->caller.route);
	list_del(&c->in_publication);
	caller_leave(&c->caller);
}

/* What it sends waits until somebody is there to take it. */
static size_t client_data(struct conn *conn, const uint8_t *data, size_t size)
{
	(void)conn, (void)data, (void)size;
	return 0;
}

static void client_end(struct conn *conn)
{
	struct published_client *c = conn_owner(conn);

	c->ended = true;
}

static void client_closed(struct conn *conn)
{
	struct published_client *c = conn_owner(conn);
	struct proxy *p = c->caller.proxy;

	client_leave(c);
	free(c);
	queue_arm(p);
}

static const struct conn_ops client_ops = {
	.data = client_data,
	.end = client_end,
	.closed = client_closed,
};

static bool client_opened(struct caller *caller, int fd)
{
	struct published_client *c = container_of(caller, struct published_client, caller);
	struct proxy *p = caller->proxy;
	struct route *route = caller->route;

	list_del(&caller->link.in_route);
	list_del(&c->in_publication);
	tunnel_start_published(p, route, c->port, c->conn, c->ended, fd);
	free(c);
	return true;
}

static void client_refused(struct caller *caller, enum refusal why, const char *reason)
{
	struct published_client *c = container_of(caller, struct published_client, caller);
	char text[ROUTE_NOTE_SIZE];

	recording_refused(caller->proxy, caller->route, why);
	snprintf(text, sizeof(text), "a client of the published port %u was cut off: %s", c->port,
		 reason);
	control_note(caller->proxy, caller->route, text);
	client_leave(c);
	conn_close(c->conn);
}

static const struct caller_ops client_caller = {
	.opened = client_opened,
	.refuse = client_refused,
};

static struct published_client *client_make(struct publication *pub, int fd)
{
	struct published_client *c = xcalloc(1, sizeof(*c));
	struct err e;

	caller_init(&c->caller, pub->proxy, &client_caller);
	list_init(&c->in_publication);
	c->port = pub->row.port;
	c->conn = conn_new(pub->proxy->loop, fd, NULL, &client_ops, c, &e);
	if (c->conn)
		return c;
	log_err("cannot use a connection of a published port error=\"%s\"", e.text);
	free(c);
	return NULL;
}

void published_client_new(struct publication *pub, int fd)
{
	struct sockaddr_storage from = { 0 };
	socklen_t size = sizeof(from);
	struct published_client *c = NULL;
	struct quota_source *source;

	(void)getpeername(fd, (struct sockaddr *)&from, &size);
	source = publication_admits(pub, &from) ? publication_source(pub, &from) : NULL;
	if (!source) {
		close(fd);
		return;
	}
	c = client_make(pub, fd);
	if (!c) {
		quota_drop(source);
		return;
	}
	conn_count(c->conn, source);
	conn_timeout(c->conn, pub->proxy->conf->clients.tunnel_timeout_ms);
	publication_enter(pub);
	list_add(&pub->clients, &c->in_publication);
	c->caller.route = pub->route;
	c->caller.port = pub->row.target;
	c->caller.way = CONNECT_AT_ONCE;
	control_touch(pub->proxy, pub->route);
	caller_gate(&c->caller);
}

void published_clients_close(struct publication *pub)
{
	list_each(c, &pub->clients, struct published_client, in_publication)
	{
		client_leave(c);
		conn_close(c->conn);
	}
}
