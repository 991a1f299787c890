#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/header_filter.h"
#include "proxy/pool.h"
#include "proxy/relay.h"
#include "proxy/tunnel.h"

#define RETRY_MS 20

static const struct upstream_ops forward_ops;

/* May this request be sent again, if a connection that was kept dies under it?  Its method must be
 * idempotent (RFC 9110 9.2.2), and it must have no body, since what was sent of one is gone. */
static bool forward_repeatable(const struct http_head *head)
{
	static const char *const idempotent[] = {
		"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"
	};

	if (head->chunked || head->length > 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(idempotent); i++)
		if (!strcmp(head->method, idempotent[i]))
			return true;
	return false;
}

static void forward_start(struct relay *r)
{
	const struct http_head *head = http_request(r->x);
	int64_t length = head->chunked ? UPSTREAM_CHUNKED : head->length;
	struct filtered_headers headers;

	list_del(&r->in_connecting);
	if (!head->chunked && head->length < 0)
		length = UPSTREAM_NO_BODY;
	header_filter_to_guest(head, r->id, buf_str(&r->offer.of_app), &headers);
	if (!upstream_request(r->up, head->method, head->target, headers.at, headers.n, length)) {
		relay_fail(r);
		return;
	}
	if (r->ended)
		upstream_send_end(r->up);
	else
		http_read_more(r->x);
}

/* After a wake, an application may need a moment until it accepts connections again. */
static bool forward_again(const struct relay *r, enum dial_result result, int64_t now_ms)
{
	if (result == DIAL_BUSY)
		return now_ms - r->connect_since_ms < LIMIT_NET_DIAL_MS;
	return now_ms - r->connect_since_ms < LIMIT_PROXY_RETRY_MS &&
	       now_ms - r->route->opened_ms < LIMIT_PROXY_WOKEN_MS;
}

static void forward_dialed(void *arg, enum dial_result result, int fd)
{
	struct relay *r = arg;
	int64_t now = clock_mono_ms();
	struct err e;

	r->dial = NULL;
	if (result == DIAL_OPEN) {
		r->reused = false;
		r->up = upstream_new(r->proxy->loop, fd, &forward_ops, r, &e);
		if (r->up) {
			upstream_limit(r->up, r->proxy->conf->clients.response_timeout_ms);
			forward_start(r);
			return;
		}
		log_err("cannot use a connection into a guest error=\"%s\"", e.text);
	} else if (forward_again(r, result, now)) {
		r->dial_at_ms = now + RETRY_MS;
		return;
	}
	relay_fail(r);
}

static void forward_dial(struct relay *r)
{
	const struct route_set *row = &r->route->row;
	char path[sizeof(r->proxy->conf->run_dir) + sizeof(row->machine) + 32];

	snprintf(path, sizeof(path), "%s/m/%s/stream.sock", r->proxy->conf->run_dir, row->machine);
	r->dial = dial_start(r->proxy->loop, path, r->port, forward_dialed, r);
}

void relay_connect(struct relay *r)
{
	if (!r->connect_since_ms)
		r->connect_since_ms = clock_mono_ms();
	list_add(&r->route->relays, &r->link.in_route);
	/* The application may close a kept connection at any moment, also while a request is on its
	 * way to it (RFC 9112 9.3.1).  A request that cannot be repeated would then be lost, so it
	 * gets a connection of its own. */
	if (!r->reused && forward_repeatable(http_request(r->x)))
		r->up = pool_take(r->route, r->port);
	if (r->up) {
		r->reused = true;
		upstream_set_owner(r->up, &forward_ops, r);
		upstream_timeout(r->up, 0);
		forward_start(r);
		return;
	}
	list_add(&r->proxy->connecting, &r->in_connecting);
	relay_arm(r->proxy);
	forward_dial(r);
}

void relay_tick(struct relay *r, int64_t now_ms)
{
	if (r->dial && now_ms - r->connect_since_ms >= LIMIT_NET_DIAL_MS) {
		log_warn("a machine does not answer machine=%s", r->route->row.machine);
		relay_fail(r);
	} else if (!r->dial && now_ms >= r->dial_at_ms) {
		forward_dial(r);
	}
}

static void forward_upgrade(struct relay *r, const struct http_head *h)
{
	struct filtered_headers headers;

	if (!http_request(r->x)->upgrade) {
		relay_fail(r);
		return;
	}
	header_filter_to_client(h, r->id, r->offer.marker, &headers);
	http_send_head(r->x, 101, headers.at, headers.n, 0);
	tunnel_start(r->proxy, r->route, r->x, r->up);
	r->up = NULL;
	relay_free(r);
}

static void forward_head(struct upstream *u, const struct http_head *h)
{
	struct relay *r = upstream_owner(u);
	struct filtered_headers headers;

	control_touch(r->proxy, r->route);
	if (h->status == 101) {
		forward_upgrade(r, h);
		return;
	}
	header_filter_to_client(h, r->id, false, &headers);
	r->headed = true;
	http_send_head(r->x, h->status, headers.at, headers.n, h->length);
}

static size_t forward_body(struct upstream *u, const uint8_t *data, size_t size)
{
	struct relay *r = upstream_owner(u);

	if (r->client_full)
		return 0;
	control_touch(r->proxy, r->route);
	r->client_full = !http_send_body(r->x, data, size);
	return size;
}

static void forward_end(struct upstream *u)
{
	struct relay *r = upstream_owner(u);

	/* Each request that cannot be repeated opens a connection, so keeping all of them would
	 * fill the pool. */
	if (r->ended && upstream_reusable(u) &&
	    (forward_repeatable(http_request(r->x)) || !pool_has(r->route, r->port))) {
		pool_put(r->route, r->port, u);
		r->up = NULL;
	}
	relay_detach(r);
	http_send_end(r->x);
}

static void forward_writable(struct upstream *u)
{
	struct relay *r = upstream_owner(u);

	r->guest_full = false;
	http_read_more(r->x);
}

static void forward_failed(struct upstream *u, const char *why)
{
	struct relay *r = upstream_owner(u);
	struct route *route = r->route;

	log_debug("an application's connection failed endpoint=%s why=\"%s\"", route->row.endpoint,
		  why);
	r->up = NULL;
	if (upstream_timed_out(u)) {
		relay_end_with(r, 504);
		return;
	}
	if (!r->reused || upstream_answered(u)) {
		relay_fail(r);
		return;
	}
	/* The application closed a kept connection while it was used: try a fresh one, once. */
	relay_detach(r);
	r->route = route;
	relay_gate(r);
}

static void forward_closed(struct upstream *u)
{
	(void)u;
}

static const struct upstream_ops forward_ops = {
	.head = forward_head,
	.body = forward_body,
	.end = forward_end,
	.writable = forward_writable,
	.failed = forward_failed,
	.closed = forward_closed,
};
