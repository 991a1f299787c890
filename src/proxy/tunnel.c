#include "proxy/tunnel.h"

#include <stdlib.h>
#include <strings.h>

#include "base/log.h"
#include "proxy/publication.h"
#include "proxy/throttle.h"
#include "wire/ws_frames.h"

struct tunnel {
	struct link link;
	struct proxy *proxy;    /* borrowed */
	struct route *route;    /* borrowed; NULL: being cut */
	struct duplex *ends[2]; /* owned; NULL: closed */
	bool ended[2];          /* it will send no more */
	bool websocket;
	struct ws_frames frames; /* towards the client */
	struct request_record record;
	struct throttle throttle;
};

/* A Close with the status 1001, "going away". */
static const uint8_t tunnel_away[] = { 0x88, 2, 0x03, 0xe9 };

static size_t tunnel_side(const struct tunnel *t, const struct duplex *d)
{
	return t->ends[1] == d;
}

static size_t tunnel_data(struct duplex *d, const uint8_t *data, size_t size)
{
	struct tunnel *t = d->owner;
	struct duplex *other = t->ends[!tunnel_side(t, d)];

	if (!other || !t->route)
		return size;
	control_touch(t->proxy, t->route);
	*(other == t->ends[0] ? &t->record.out : &t->record.in) += size;
	if (t->websocket && other == t->ends[0])
		ws_frames_pass(&t->frames, data, size);
	duplex_write(other, data, size);
	throttle_pass(&t->throttle, t->proxy, t->route, size);
	if (duplex_full(other))
		duplex_pause(d);
	if (throttle_waits(&t->throttle)) {
		duplex_pause(d);
		duplex_pause(other);
	}
	return size;
}

static void tunnel_drained(struct duplex *d)
{
	struct tunnel *t = d->owner;
	struct duplex *other = t->ends[!tunnel_side(t, d)];

	if (other && !throttle_waits(&t->throttle))
		duplex_resume(other);
}

static void tunnel_goes_on(struct throttle *throttle)
{
	struct tunnel *t = container_of(throttle, struct tunnel, throttle);

	for (size_t side = 0; side < 2; side++)
		if (t->ends[side] && t->ends[!side] && !duplex_full(t->ends[!side]))
			duplex_resume(t->ends[side]);
}

static void tunnel_end(struct duplex *d)
{
	struct tunnel *t = d->owner;
	size_t side = tunnel_side(t, d);

	t->ended[side] = true;
	if (!t->ends[!side])
		return;
	duplex_shutdown(t->ends[!side]);
	if (t->ended[!side])
		duplex_close_after_write(d);
}

static void tunnel_leave(struct tunnel *t)
{
	if (t->route && t->link.published)
		publication_leave(t->route);
	t->route = NULL;
	throttle_leave(&t->throttle);
	list_del(&t->link.in_route);
}

static void tunnel_closed(struct duplex *d)
{
	struct tunnel *t = d->owner;
	size_t side = tunnel_side(t, d);

	t->ends[side] = NULL;
	tunnel_leave(t);
	if (t->ends[!side]) {
		duplex_close_after_write(t->ends[!side]);
		return;
	}
	recording_end(t->proxy, &t->record);
	free(t);
}

static const struct duplex_ops tunnel_ops = {
	.data = tunnel_data,
	.end = tunnel_end,
	.drained = tunnel_drained,
	.closed = tunnel_closed,
};

/* The client of a WebSocket is told that the microVM went away, where a frame may stand. */
static void tunnel_cut(struct link *l)
{
	struct tunnel *t = container_of(l, struct tunnel, link);
	bool says_so = t->websocket && ws_frames_between(&t->frames) && !t->frames.closed;

	tunnel_leave(t);
	if (t->ends[1])
		duplex_close(t->ends[1]);
	if (!t->ends[0])
		return;
	if (!says_so) {
		duplex_close(t->ends[0]);
		return;
	}
	duplex_write(t->ends[0], tunnel_away, sizeof(tunnel_away));
	duplex_close_after_write(t->ends[0]);
}

static struct tunnel *tunnel_new(struct proxy *p, struct route *route)
{
	struct tunnel *t = xcalloc(1, sizeof(*t));

	t->proxy = p;
	t->route = route;
	t->link.cut = tunnel_cut;
	throttle_init(&t->throttle, tunnel_goes_on);
	list_add(&route->relays, &t->link.in_route);
	return t;
}

static void tunnel_begin(struct tunnel *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(t->ends); i++)
		if (t->ends[i])
			duplex_timeout(t->ends[i], t->proxy->conf->clients.tunnel_timeout_ms);
}

static struct duplex *tunnel_conn(struct tunnel *t, struct conn *c)
{
	struct duplex *end = duplex_conn_new(&tunnel_ops, t);

	conn_set_owner(c, &duplex_conn_ops, end);
	duplex_conn_is(end, c);
	return end;
}

static void tunnel_enter(struct tunnel *t, int guest)
{
	struct err e;
	struct conn *c = conn_new(t->proxy->loop, guest, NULL, &duplex_conn_ops, NULL, &e);

	if (c) {
		t->ends[1] = tunnel_conn(t, c);
	} else {
		log_err("cannot use a connection into a guest error=\"%s\"", e.text);
		duplex_close(t->ends[0]);
	}
	tunnel_begin(t);
}

void tunnel_start(struct proxy *p, struct route *route, struct http_exchange *x, struct upstream *u,
		  struct request_record *record)
{
	struct tunnel *t = tunnel_new(p, route);

	t->record = record_take(record);
	t->websocket = !strcasecmp(http_header(http_request(x), "upgrade"), "websocket");
	t->ends[0] = http_take_duplex(x, &tunnel_ops, t);
	t->ends[1] = duplex_conn_new(&tunnel_ops, t);
	duplex_conn_is(t->ends[1], upstream_take_conn(u, &duplex_conn_ops, t->ends[1]));
	tunnel_begin(t);
}

void tunnel_start_raw(struct proxy *p, struct route *route, struct http_exchange *x, int guest,
		      struct request_record *record)
{
	struct tunnel *t = tunnel_new(p, route);

	t->record = record_take(record);
	t->ends[0] = http_take_duplex(x, &tunnel_ops, t);
	tunnel_enter(t, guest);
}

/* What it said already goes before everything else. */
static void tunnel_say(struct tunnel *t, const struct buf *start)
{
	t->record.in += start->size;
	control_touch(t->proxy, t->route);
	if (t->ends[1])
		duplex_write(t->ends[1], start->data, start->size);
}

void tunnel_start_client(struct proxy *p, struct route *route, const struct tunnel_client *client,
			 int guest)
{
	struct tunnel *t = tunnel_new(p, route);

	t->link.published = client->published;
	if (client->record)
		t->record = record_take(client->record);
	t->ends[0] = tunnel_conn(t, client->conn);
	tunnel_enter(t, guest);
	if (client->start)
		tunnel_say(t, client->start);
	conn_resume(client->conn);
	t->ended[0] = client->ended;
	if (client->ended && t->ends[1])
		duplex_shutdown(t->ends[1]);
}
