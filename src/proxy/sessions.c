#include "proxy/sessions.h"

#include <stdlib.h>

#include "proxy/caller.h"

struct shared_session {
	struct list in_route;
	struct proxy *proxy;     /* borrowed */
	struct route *route;     /* borrowed */
	struct session *session; /* borrowed, until it is retired */
	uint16_t port;
	bool tls;
};

static void sessions_on_ready(void *owner)
{
	struct shared_session *shared = owner;
	struct app_port *port = app_port_of(&shared->route->app_ports, shared->port);

	if (!shared->tls)
		port->speech = APP_PLAIN;
	queue_release(shared->route);
}

static void sessions_on_retired(void *owner)
{
	struct shared_session *shared = owner;

	queue_look_at_port(shared->proxy, shared->route, shared->port);
	list_del(&shared->in_route);
	free(shared);
}

static const struct session_ops sessions_ops = {
	.ready = sessions_on_ready,
	.retired = sessions_on_retired,
};

struct session *sessions_add(struct proxy *p, struct route *r, uint16_t port, struct conn *c,
			     bool tls)
{
	struct shared_session *shared = xcalloc(1, sizeof(*shared));

	shared->proxy = p;
	shared->route = r;
	shared->port = port;
	shared->tls = tls;
	shared->session = session_new(p->loop, c, tls, &sessions_ops, shared);
	session_idle_limit(shared->session, LIMIT_PROXY_IDLE_MS);
	list_add(&r->sessions, &shared->in_route);
	return shared->session;
}

bool sessions_opening(const struct route *r, uint16_t port)
{
	list_each(shared, &r->sessions, struct shared_session, in_route)
	{
		if (shared->port == port && !session_is_ready(shared->session))
			return true;
	}
	return false;
}

struct session *sessions_find(const struct route *r, uint16_t port)
{
	list_each(shared, &r->sessions, struct shared_session, in_route)
	{
		if (shared->port == port && session_has_room(shared->session))
			return shared->session;
	}
	return NULL;
}

void sessions_drop(struct route *r)
{
	list_each(shared, &r->sessions, struct shared_session, in_route)
	{
		session_retire(shared->session);
	}
}

void sessions_drop_port(struct route *r, uint16_t port)
{
	list_each(shared, &r->sessions, struct shared_session, in_route)
	{
		if (shared->port == port)
			session_retire(shared->session);
	}
}
