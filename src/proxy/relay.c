#include "proxy/relay.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define TICK_MS 10

static void relay_answer(struct http_exchange *x, const char *id, unsigned status, const char *text)
{
	const struct http_header headers[] = {
		{ "cache-control", "private, no-store" },
		{ "x-amzn-requestid", id },
		{ "content-type", "text/plain" },
	};

	http_answer(x, status, headers, *text ? 3 : 2, text, strlen(text));
}

void relay_detach(struct relay *r)
{
	held_remove(&r->waiter);
	list_del(&r->in_connecting);
	list_del(&r->link.in_route);
	if (r->dial)
		dial_cancel(r->dial);
	if (r->up)
		upstream_close(r->up);
	r->dial = NULL;
	r->up = NULL;
	r->route = NULL;
}

void relay_free(struct relay *r)
{
	relay_detach(r);
	auth_offer_free(&r->offer);
	free(r);
}

void relay_end_with(struct relay *r, unsigned status)
{
	relay_detach(r);
	if (r->headed)
		http_abort(r->x);
	else
		relay_answer(r->x, r->id, status, "");
}

void relay_fail(struct relay *r)
{
	relay_end_with(r, 502);
}

void relay_arm(struct proxy *p)
{
	int64_t next = held_next_ms(&p->clock), now = clock_mono_ms();

	if (next >= 0)
		uv_timer_start(&p->tick_held, relay_on_held_tick,
			       next > now ? (uint64_t)(next - now) : 0, 0);
	else
		uv_timer_stop(&p->tick_held);
	if (list_empty(&p->connecting))
		uv_timer_stop(&p->tick_connect);
	else if (!uv_is_active((uv_handle_t *)&p->tick_connect))
		uv_timer_start(&p->tick_connect, relay_on_connect_tick, TICK_MS, TICK_MS);
}

void relay_on_held_tick(uv_timer_t *timer)
{
	struct proxy *p = timer->data;
	struct waiter *w;

	while ((w = held_late(&p->clock, clock_mono_ms()))) {
		struct relay *r = container_of(w, struct relay, waiter);

		log_debug("a held request waited too long endpoint=%s", r->route->row.endpoint);
		relay_fail(r);
	}
	relay_arm(p);
}

void relay_on_connect_tick(uv_timer_t *timer)
{
	struct proxy *p = timer->data;
	int64_t now = clock_mono_ms();

	list_each(r, &p->connecting, struct relay, in_connecting) relay_tick(r, now);
	relay_arm(p);
}

static void relay_hold(struct relay *r)
{
	struct route *route = r->route;

	if (!r->hold_until_ms)
		r->hold_until_ms = clock_mono_ms() + r->proxy->conf->hold_ms;
	if (!held_add(&route->waiting, &r->proxy->clock, &r->waiter, r->hold_until_ms,
		      (size_t)r->proxy->conf->clients.held_requests)) {
		log_debug("too many requests are held endpoint=%s", route->row.endpoint);
		relay_fail(r);
		return;
	}
	relay_arm(r->proxy);
	control_wake(r->proxy, route);
}

void relay_gate(struct relay *r)
{
	switch (route_gate(r->route)) {
	case GATE_GO:
		relay_connect(r);
		break;
	case GATE_HOLD:
		relay_hold(r);
		break;
	case GATE_REFUSE:
	case GATE_NUM:
		relay_fail(r);
		break;
	}
}

void relay_release(struct route *route)
{
	struct waiter *w;

	while (route_gate(route) != GATE_HOLD && (w = held_first(&route->waiting))) {
		held_remove(w);
		relay_gate(container_of(w, struct relay, waiter));
	}
}

static void relay_cut(struct link *l)
{
	struct relay *r = container_of(l, struct relay, link);
	struct route *route = r->route;

	if (r->up) {
		relay_fail(r);
		return;
	}
	/* The application has seen nothing of the request. */
	relay_detach(r);
	r->route = route;
	r->connect_since_ms = 0;
	relay_gate(r);
}

static const struct auth_denial *relay_admit(struct relay *r, const struct http_head *head)
{
	static const struct auth_denial no_http2 = { 502, "" };
	const struct auth_denial *denial;
	char endpoint[UUID_SIZE];
	struct route *route = NULL;
	const char *force;

	if (auth_endpoint(head->host, http_sni(r->x), r->proxy->suffix, endpoint))
		route = route_find(&r->proxy->routes, endpoint);
	if (!route)
		return &auth_unknown_host;
	denial = auth_check(head, &r->offer, &r->proxy->keys, &route->row, clock_wall_ms(),
			    &r->port);
	if (denial)
		return denial;
	force = http_header(head, "x-aws-proxy-force-h2");
	if (force && !strcmp(force, "true")) {
		log_warn("HTTP/2 to applications is not supported yet endpoint=%s", endpoint);
		return &no_http2;
	}
	r->route = route;
	return NULL;
}

static void relay_head(struct http_exchange *x)
{
	struct relay *r = xcalloc(1, sizeof(*r));
	const struct http_head *head = http_request(x);
	const struct auth_denial *denial;

	r->x = x;
	r->proxy = http_server_arg(x);
	r->link.cut = relay_cut;
	list_init(&r->link.in_route);
	list_init(&r->in_connecting);
	rand_uuid(r->id);
	http_set_user(x, r);
	auth_offer_read(head, &r->offer);
	denial = relay_admit(r, head);
	if (denial) {
		relay_answer(x, r->id, denial->status, denial->text);
		return;
	}
	control_touch(r->proxy, r->route);
	if (head->expect_continue)
		http_read_stop(x);
	relay_gate(r);
}

static size_t relay_body(struct http_exchange *x, const uint8_t *data, size_t size)
{
	struct relay *r = http_user(x);

	if (!r->route)
		return size; /* the relay is finished, and nobody wants what still comes */
	if (r->waiter.held_by) {
		if (!held_unread(&r->waiter, size, (size_t)r->proxy->conf->hold_body_bytes)) {
			log_debug("held requests have too many unread bytes endpoint=%s",
				  r->route->row.endpoint);
			relay_fail(r);
		}
		return 0;
	}
	if (!r->up || r->guest_full)
		return 0;
	control_touch(r->proxy, r->route);
	r->guest_full = !upstream_send_body(r->up, data, size);
	return size;
}

static void relay_end(struct http_exchange *x)
{
	struct relay *r = http_user(x);

	r->ended = true;
	if (r->up)
		upstream_send_end(r->up);
}

static void relay_writable(struct http_exchange *x)
{
	struct relay *r = http_user(x);

	r->client_full = false;
	if (r->up)
		upstream_read_more(r->up);
}

static void relay_done(struct http_exchange *x)
{
	struct relay *r = http_user(x);
	struct proxy *p = http_server_arg(x);

	if (!r)
		return; /* its head could not be read */
	relay_free(r);
	relay_arm(p);
}

static void relay_bad(struct http_exchange *x, unsigned status, const char *why)
{
	char id[UUID_SIZE];

	rand_uuid(id);
	relay_answer(x, id, status, why);
}

const struct http_handler relay_handler = {
	.head = relay_head,
	.body = relay_body,
	.end = relay_end,
	.writable = relay_writable,
	.done = relay_done,
	.bad = relay_bad,
	.passes_bodies_on = true,
};
