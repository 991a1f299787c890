#include "proxy/publish.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/datagram_port.h"
#include "proxy/published_client.h"

static struct publication *publish_find(const struct route *r, uint16_t port)
{
	list_each(pub, &r->published, struct publication, in_route)
	{
		if (pub->row.port == port)
			return pub;
	}
	return NULL;
}

static void publish_accepted(void *arg, int fd)
{
	published_client_new(arg, fd);
}

static int publish_listen(struct publication *pub, int fd, struct err *e)
{
	pub->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (pub->fd < 0) {
		close(fd);
		return err_sys(e, "keep a socket");
	}
	if (pub->row.datagrams || !pub->row.serves || pub->proxy->draining) {
		close(fd);
		return 0;
	}
	pub->accepter = accepter_new(pub->proxy->loop, fd, publish_accepted, pub, e);
	return pub->accepter ? 0 : -1;
}

static int publish_open_datagrams(struct publication *pub, struct err *e)
{
	int fd = pub->datagrams ? -1 : fcntl(pub->fd, F_DUPFD_CLOEXEC, 0);

	if (pub->datagrams)
		return 0;
	if (fd < 0)
		return err_sys(e, "keep a socket");
	pub->datagrams = datagram_port_new(pub, fd, e);
	return pub->datagrams ? 0 : -1;
}

/* Its flows are given away, and nobody serves it until control says who does. */
static void publish_left(struct publication *pub)
{
	struct route_port row = { .port = pub->row.port };

	datagram_port_free(pub->datagrams);
	pub->datagrams = NULL;
	memcpy(row.endpoint, pub->row.endpoint, sizeof(row.endpoint));
	control_leave_port(pub->proxy, &row);
}

/* Flows may have come before their port did. */
static void publish_serve_datagrams(struct publication *pub)
{
	struct err e;

	if (!pub->row.datagrams || !pub->row.serves)
		return;
	if (publish_open_datagrams(pub, &e))
		log_err("%s", e.text);
	else if (pub->proxy->draining)
		datagram_port_leave(pub->datagrams, publish_left);
	else
		datagram_port_serve(pub->datagrams);
}

static void publish_free(struct publication *pub)
{
	struct route *r = pub->route;
	struct list doomed = LIST_INIT(doomed);

	list_del(&pub->in_route);
	accepter_free(pub->accepter);
	published_clients_close(pub);
	datagram_port_free(pub->datagrams);
	fd_close(&pub->fd);
	list_each(l, &r->relays, struct link, in_route)
	{
		if (l->published == pub->row.port) {
			list_del(&l->in_route);
			list_add(&doomed, &l->in_route);
		}
	}
	link_cut_all(&doomed);
	free(pub);
}

void publish_set(struct proxy *p, struct route *r, const struct route_publish *row, int fd)
{
	struct publication *pub = publish_find(r, row->port);
	struct err e;

	if (pub && pub->row.target == row->target && pub->row.datagrams == row->datagrams &&
	    pub->row.serves <= row->serves) {
		pub->row = *row; /* and its socket is this one */
		close(fd);
		publish_serve_datagrams(pub);
		return;
	}
	if (pub)
		publish_free(pub);
	pub = xcalloc(1, sizeof(*pub));
	*pub = (struct publication){ .proxy = p, .route = r, .row = *row, .fd = -1 };
	list_init(&pub->clients);
	list_add(&r->published, &pub->in_route);
	if (publish_listen(pub, fd, &e)) {
		log_err("%s", e.text);
		publish_free(pub);
		return;
	}
	publish_serve_datagrams(pub);
}

static bool publish_flow_is_sane(const struct route_flow *flow)
{
	return flow->from_size <= sizeof(flow->from) && flow->local_size <= sizeof(flow->local) &&
	       memchr(flow->machine, '\0', sizeof(flow->machine));
}

void publish_take_flow(struct route *r, const struct route_flow *flow, int fd)
{
	struct publication *pub = publish_find(r, flow->port);
	struct err e;

	if (!pub || !pub->row.datagrams || !publish_flow_is_sane(flow) ||
	    r->row.state != ROUTE_OPEN || strcmp(r->row.machine, flow->machine) != 0) {
		close(fd); /* its machine is another one meanwhile, or the port is given back */
		return;
	}
	if (!publish_open_datagrams(pub, &e)) {
		datagram_port_take(pub->datagrams, flow, fd);
		return;
	}
	log_err("%s", e.text);
	close(fd);
}

void publish_drop(struct route *r, uint16_t port)
{
	struct publication *pub = publish_find(r, port);

	if (pub)
		publish_free(pub);
}

void publish_drop_all(struct route *r)
{
	struct publication *pub;

	while ((pub = list_first(&r->published, struct publication, in_route)))
		publish_free(pub);
}

void publish_stop_accepting(struct proxy *p)
{
	hash_each(r, &p->routes.by_endpoint, struct route, in_table)
	{
		list_each(pub, &r->published, struct publication, in_route)
		{
			accepter_free(pub->accepter);
			pub->accepter = NULL;
			if (pub->datagrams)
				datagram_port_leave(pub->datagrams, publish_left);
		}
	}
}

void publish_report(struct proxy *p, void (*tell)(struct proxy *p, const struct publication *one))
{
	hash_each(r, &p->routes.by_endpoint, struct route, in_table)
	{
		list_each(pub, &r->published, struct publication, in_route) tell(p, pub);
	}
}
