/* control.c - the proxy's half of ipc/route.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/steady.h"
#include "proxy/pool.h"
#include "proxy/publish.h"
#include "proxy/relay.h"
#include "proxy/sessions.h"

#define REPORT_MS 1000

static void control_send(struct proxy *p, uint32_t type, const void *body, size_t size)
{
	if (p->control)
		chan_uv_send(p->control, type, 0, body, size, NULL, 0);
}

static void control_send_bytes(struct proxy *p, const struct route *r, enum route_type type)
{
	struct route_bytes body = { .last_byte_ms = r->last_byte_ms };

	memcpy(body.endpoint, r->row.endpoint, sizeof(body.endpoint));
	control_send(p, type, &body, sizeof(body));
}

void control_wake(struct proxy *p, struct route *r)
{
	struct route_endpoint body = { 0 };

	if (!p->control || !route_take_wake(r))
		return;
	memcpy(body.endpoint, r->row.endpoint, sizeof(body.endpoint));
	control_send(p, ROUTE_WAKE, &body, sizeof(body));
}

static void control_send_meter(struct proxy *p, const char *endpoint, struct meter *meter)
{
	struct route_meter body = { .meter = *meter };

	memcpy(body.endpoint, endpoint, sizeof(body.endpoint));
	control_send(p, ROUTE_METER, &body, sizeof(body));
	*meter = (struct meter){ 0 };
}

/* What is counted while control is away waits for it. */
static void control_send_meters(struct proxy *p)
{
	static const char nobody[UUID_SIZE];
	struct route *r;

	while (p->control && (r = list_first(&p->metered, struct route, in_metered))) {
		list_del(&r->in_metered);
		control_send_meter(p, r->row.endpoint, &r->meter);
	}
	if (p->control && p->unrouted_counts) {
		p->unrouted_counts = false;
		control_send_meter(p, nobody, &p->unrouted);
	}
}

static bool control_send_now(struct proxy *p)
{
	struct route_now body = { 0 };

	body.now.connections = p->server ? http_server_connections(p->server) : 0;
	hash_each(r, &p->routes.by_endpoint, struct route, in_table)
	{
		body.now.held += r->waiting.n;
		list_each(l, &r->relays, struct link, in_route) body.now.running++;
	}
	control_send(p, ROUTE_NOW, &body, sizeof(body));
	return body.now.connections || body.now.held || body.now.running;
}

static void control_on_report(uv_timer_t *timer)
{
	struct proxy *p = timer->data;
	struct route *r;

	while ((r = route_take_active(&p->routes)))
		control_send_bytes(p, r, ROUTE_ACTIVE);
	control_send_meters(p);
	if (control_send_now(p))
		control_report(p); /* until it has said that nothing is there any more */
}

void control_report(struct proxy *p)
{
	if (!uv_is_active((uv_handle_t *)&p->tick_report))
		uv_timer_start(&p->tick_report, control_on_report, REPORT_MS, 0);
}

void control_touch(struct proxy *p, struct route *r)
{
	route_touch(&p->routes, r, steady_ms());
	control_report(p);
}

void control_note(struct proxy *p, struct route *r, const char *text)
{
	struct route_note body = { 0 };
	uint64_t missed;

	if (!notes_take(&r->notes, clock_mono_ms(), &missed))
		return;
	memcpy(body.endpoint, r->row.endpoint, sizeof(body.endpoint));
	body.missed = missed;
	snprintf(body.text, sizeof(body.text), "%s", text);
	control_send(p, ROUTE_NOTE, &body, sizeof(body));
}

void control_give_flow(struct proxy *p, const struct route_flow *flow, int fd)
{
	if (p->control)
		chan_uv_send(p->control, ROUTE_FLOW, 0, flow, sizeof(*flow), &fd, 1);
}

void control_leave_port(struct proxy *p, const struct route_port *port)
{
	control_send(p, ROUTE_LEAVES, port, sizeof(*port));
}

/* Everything that runs in the machine lets go of it.  A relay that is still connecting may come
 * back into the list, so the list is emptied first. */
static void control_cut(struct route *r)
{
	struct list doomed = LIST_INIT(doomed);
	struct link *l;

	pool_drop(r);
	sessions_drop(r);
	memset(r->learned, 0, sizeof(r->learned));
	r->app_ports = (struct app_ports){ 0 };
	queue_leave_lines(r);
	list_each(line, &r->lines, struct line, in_route) line_reset(line);
	while ((l = list_first(&r->relays, struct link, in_route))) {
		list_del(&l->in_route);
		list_add(&doomed, &l->in_route);
	}
	link_cut_all(&doomed);
}

static void control_on_set(struct proxy *p, struct route *r, struct ipc_msg *m)
{
	const struct route_set *row = (const void *)m->body;
	uint32_t old_share;
	bool left;

	if (row->state >= ROUTE_NUM_STATES || strchr(row->machine, '/')) {
		log_err("control sent an invalid route endpoint=%s", row->endpoint);
		return;
	}
	old_share = r ? r->row.share : 0;
	r = route_put(&p->routes, row, clock_mono_ms(), &left);
	worker_shares_move(&p->shares, r, old_share);
	if (left)
		control_cut(r);
	queue_release(r);
	control_wake(p, r);
}

/* Requests that still end later find no route. */
static void control_leave_share(struct proxy *p, struct route *r)
{
	uint32_t old_share = r->row.share;

	r->row.share = 0;
	worker_shares_move(&p->shares, r, old_share);
}

static void control_forget(struct proxy *p, struct route *r)
{
	r->row.state = ROUTE_DEAD;
	control_cut(r);
	queue_release(r);
	publish_drop_all(r);
	control_send_meter(p, r->row.endpoint, &r->meter);
	control_leave_share(p, r);
	route_free(&p->routes, r);
}

static void control_on_gone(struct proxy *p, struct route *r, struct ipc_msg *m)
{
	(void)m;
	if (r)
		control_forget(p, r);
}

void control_forget_unseen(struct proxy *p)
{
	struct route *r;

	while ((r = route_unseen(&p->routes)))
		control_forget(p, r);
}

static void control_on_synced(struct proxy *p, struct route *r, struct ipc_msg *m)
{
	(void)r, (void)m;
	control_forget_unseen(p);
	proxy_synced(p);
	log_info("received all routes n=%zu", p->routes.by_endpoint.n);
}

static void control_on_hold(struct proxy *p, struct route *r, struct ipc_msg *m)
{
	struct route_bytes unknown = { 0 };

	if (r) {
		r->held = true;
		control_send_bytes(p, r, ROUTE_HELD);
		return;
	}
	memcpy(unknown.endpoint, m->body, sizeof(unknown.endpoint));
	control_send(p, ROUTE_HELD, &unknown, sizeof(unknown));
}

static void control_on_release(struct proxy *p, struct route *r, struct ipc_msg *m)
{
	(void)p, (void)m;
	if (!r)
		return;
	r->held = false;
	queue_release(r);
}

static void control_on_publish(struct proxy *p, struct route *r, struct ipc_msg *m)
{
	const struct route_publish *row = (const void *)m->body;

	if (r && publication_row_is_sane(row))
		publish_set(p, r, row, ipc_msg_take_fd(m, 0));
	else
		log_err("control sent an invalid published port endpoint=%s", row->endpoint);
}

static void control_on_unpublish(struct proxy *p, struct route *r, struct ipc_msg *m)
{
	const struct route_port *port = (const void *)m->body;

	(void)p;
	if (r)
		publish_drop(r, (uint16_t)port->port);
}

static void control_on_flow(struct proxy *p, struct route *r, struct ipc_msg *m)
{
	(void)p;
	if (r)
		publish_take_flow(r, (const void *)m->body, ipc_msg_take_fd(m, 0));
}

/* Every body begins with the endpoint, except that of SYNCED, which has none. */
static const struct {
	bool endpoint;
	void (*on)(struct proxy *p, struct route *r, struct ipc_msg *m);
} control_on[ROUTE_NUM_TYPES] = {
	[ROUTE_SET] = { true, control_on_set },
	[ROUTE_GONE] = { true, control_on_gone },
	[ROUTE_SYNCED] = { false, control_on_synced },
	[ROUTE_HOLD] = { true, control_on_hold },
	[ROUTE_RELEASE] = { true, control_on_release },
	[ROUTE_PUBLISH] = { true, control_on_publish },
	[ROUTE_UNPUBLISH] = { true, control_on_unpublish },
	[ROUTE_FLOW] = { true, control_on_flow },
};

static_assert(offsetof(struct route_set, endpoint) == 0, "the endpoint comes first");
static_assert(offsetof(struct route_endpoint, endpoint) == 0, "the endpoint comes first");
static_assert(offsetof(struct route_publish, endpoint) == 0, "the endpoint comes first");
static_assert(offsetof(struct route_port, endpoint) == 0, "the endpoint comes first");
static_assert(offsetof(struct route_flow, endpoint) == 0, "the endpoint comes first");

/* Do the texts of this message end with a NUL?  */
static bool control_sane(const struct ipc_msg *m)
{
	const struct route_set *row = (const void *)m->body;

	if (!control_on[m->head.type].endpoint)
		return true;
	if (!memchr(row->endpoint, '\0', sizeof(row->endpoint)))
		return false;
	return m->head.type != ROUTE_SET || (memchr(row->microvm, '\0', sizeof(row->microvm)) &&
					     memchr(row->machine, '\0', sizeof(row->machine)));
}

/* Each channel has its own memory, because the next one may come before the last one is closed. */
struct control_channel {
	struct chan_uv chan;
	struct proxy *proxy; /* borrowed */
};

static void control_on_message(struct chan_uv *c, struct ipc_msg *m)
{
	struct proxy *p = container_of(c, struct control_channel, chan)->proxy;
	struct route *r = NULL;

	if (!control_on[m->head.type].on || !control_sane(m)) {
		log_err("control sent an invalid message type=%u", m->head.type);
		return;
	}
	if (control_on[m->head.type].endpoint)
		r = route_find(&p->routes, (const char *)m->body);
	control_on[m->head.type].on(p, r, m);
}

static void control_freed(struct chan_uv *c)
{
	free(container_of(c, struct control_channel, chan));
}

static void control_lost(struct chan_uv *c)
{
	container_of(c, struct control_channel, chan)->proxy->control = NULL;
	log_warn("control is away; known endpoints stay in service");
}

static void control_tell_published(struct proxy *p, const struct publication *one)
{
	struct route_port body = { .port = one->row.port };

	memcpy(body.endpoint, one->row.endpoint, sizeof(body.endpoint));
	chan_uv_send(p->control, ROUTE_LISTENS, 0, &body, sizeof(body), &one->fd, 1);
}

void proxy_control(struct proxy *p, int sock)
{
	struct control_channel *channel = xcalloc(1, sizeof(*channel));
	struct err e;

	proxy_control_close(p);
	route_unsee(&p->routes);
	channel->proxy = p;
	if (chan_uv_open(&channel->chan, p->loop, sock, route_rows, ROUTE_NUM_TYPES,
			 control_on_message, control_lost, &e)) {
		log_err("cannot open the channel to control error=\"%s\"", e.text);
		free(channel);
		return;
	}
	channel->chan.freed = control_freed;
	p->control = &channel->chan;
	publish_report(p, control_tell_published);
	control_send(p, ROUTE_LISTENED, &(struct route_none){ 0 }, sizeof(struct route_none));
}

void proxy_control_close(struct proxy *p)
{
	if (p->control)
		chan_uv_close(p->control, control_freed);
	p->control = NULL;
}
