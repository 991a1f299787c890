#include "proxy/published_client.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "net/quota.h"
#include "proxy/recording.h"
#include "proxy/tunnel.h"
#include "proxy/waiting_client.h"

struct published_client {
	struct waiting_client w;
	struct list in_publication;
	uint16_t port; /* of the host */
};

static void client_leave(struct published_client *c)
{
	if (c->w.caller.route)
		publication_leave(c->w.caller.route);
	list_del(&c->in_publication);
	caller_leave(&c->w.caller);
}

static void client_gone(struct waiting_client *w)
{
	struct published_client *c = container_of(w, struct published_client, w);

	client_leave(c);
	free(c);
}

static bool client_opened(struct caller *caller, int fd)
{
	struct published_client *c = container_of(caller, struct published_client, w.caller);
	struct proxy *p = caller->proxy;
	struct route *route = caller->route;

	list_del(&caller->link.in_route);
	list_del(&c->in_publication);
	tunnel_start_client(p, route,
			    &(struct tunnel_client){
				    .conn = c->w.conn, .ended = c->w.ended, .published = c->port },
			    fd);
	free(c);
	return true;
}

static void client_refused(struct caller *caller, enum refusal why, const char *reason)
{
	struct published_client *c = container_of(caller, struct published_client, w.caller);
	char text[ROUTE_NOTE_SIZE];

	recording_refused(caller->proxy, caller->route, why);
	snprintf(text, sizeof(text), "a client of the published port %u was cut off: %s", c->port,
		 reason);
	control_note(caller->proxy, caller->route, text);
	client_leave(c);
	conn_close(c->w.conn);
}

static const struct caller_ops client_caller = {
	.opened = client_opened,
	.refuse = client_refused,
};

static struct published_client *client_make(struct publication *pub, int fd)
{
	struct published_client *c = xcalloc(1, sizeof(*c));
	struct err e;

	caller_init(&c->w.caller, pub->proxy, &client_caller);
	list_init(&c->in_publication);
	c->port = pub->row.port;
	c->w.gone = client_gone;
	c->w.conn = conn_new(pub->proxy->loop, fd, NULL, &waiting_client_ops, &c->w, &e);
	if (c->w.conn)
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
	conn_count(c->w.conn, source);
	conn_timeout(c->w.conn, pub->proxy->conf->clients.tunnel_timeout_ms);
	publication_enter(pub);
	list_add(&pub->clients, &c->in_publication);
	c->w.caller.route = pub->route;
	c->w.caller.port = pub->row.target;
	c->w.caller.way = CONNECT_AT_ONCE;
	control_touch(pub->proxy, pub->route);
	caller_gate(&c->w.caller);
}

void published_clients_close(struct publication *pub)
{
	list_each(c, &pub->clients, struct published_client, in_publication)
	{
		client_leave(c);
		conn_close(c->w.conn);
	}
}
