#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/header_filter.h"
#include "proxy/pool.h"
#include "proxy/relay.h"
#include "proxy/tunnel.h"

#define EMPTIED_MOST 3 /* connections that ended before a request was sent on them */

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

	if (!head->chunked && head->length < 0)
		length = UPSTREAM_NO_BODY;
	recording_sent(&r->record);
	header_filter_to_guest(head, r->id, buf_str(&r->offer.of_app), &headers);
	trace_put(&r->record.trace, &headers);
	if (!upstream_request(r->up, head->method, head->target, headers.at, headers.n, length)) {
		relay_refuse(r, 502, "the request has a header that cannot be passed on");
		return;
	}
	if (r->ended) {
		upstream_send_trailers(r->up, r->trailers, r->n_trailers);
		return;
	}
	if (length != UPSTREAM_NO_BODY && length)
		list_add(&r->caller.proxy->heads, &r->in_heads);
	queue_arm(r->caller.proxy);
	http_read_more(r->x);
}

/* An end that can be read says that the application let this connection go before it had a request,
 * which may thus be sent on another one. */
static bool forward_is_emptied(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return !n || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void forward_opened(struct relay *r, int fd)
{
	struct err e;

	r->reused = false;
	r->up = upstream_new(r->caller.proxy->loop, fd, &forward_ops, r, &e);
	if (!r->up) {
		log_err("cannot use a connection into a guest error=\"%s\"", e.text);
		relay_refuse(r, 502, "a connection into the microVM cannot be used");
		return;
	}
	upstream_limit(r->up, r->caller.proxy->conf->clients.response_timeout_ms);
	forward_start(r);
}

const char *forward_raw_protocol(const struct http_head *head, enum connect_way *way)
{
	static const struct {
		const char *name;
		enum connect_way way;
	} rows[] = { { "doze-tcp", CONNECT_AT_ONCE }, { "doze-udp", CONNECT_DATAGRAMS } };
	const char *upgrade = http_header(head, "upgrade");

	for (size_t i = 0; head->upgrade && upgrade && i < ARRAY_SIZE(rows); i++)
		if (!strcmp(upgrade, rows[i].name) && forward_repeatable(head)) {
			*way = rows[i].way;
			return rows[i].name;
		}
	return NULL;
}

static void forward_raw(struct relay *r, int fd)
{
	const struct http_header headers[] = { { "upgrade", r->raw },
					       { "x-amzn-requestid", r->id } };

	http_send_head(r->x, 101, headers, ARRAY_SIZE(headers), 0);
	recording_answered(&r->record, 101);
	tunnel_start_raw(r->caller.proxy, r->caller.route, r->x, fd, &r->record);
	relay_free(r);
}

static bool forward_dialed(struct caller *c, int fd)
{
	struct relay *r = container_of(c, struct relay, caller);

	if (r->raw) {
		forward_raw(r, fd);
		return true;
	}

	if (!forward_is_emptied(fd)) {
		forward_opened(r, fd);
		return true;
	}
	close(fd);
	if (r->emptied++ < EMPTIED_MOST)
		return false;
	relay_refuse(r, 502,
		     "the application on port %u closes each connection before it has a request",
		     c->port);
	return true;
}

/* The application may close a kept connection at any moment, also while a request is on its way to
 * it (RFC 9112 9.3.1).  A request that cannot be repeated would then be lost, so it gets a
 * connection of its own. */
static bool forward_take_kept(struct caller *c)
{
	struct relay *r = container_of(c, struct relay, caller);

	if (!r->raw && !r->reused && forward_repeatable(http_request(r->x)))
		r->up = pool_take(r->caller.route, r->caller.port, &r->kept_ms);
	if (!r->up)
		return false;
	r->reused = true;
	list_add(&r->caller.route->relays, &r->caller.link.in_route);
	upstream_set_owner(r->up, &forward_ops, r);
	upstream_timeout(r->up, 0);
	forward_start(r);
	return true;
}

static void forward_upgrade(struct relay *r, const struct http_head *h)
{
	struct filtered_headers headers;

	if (!http_upgrade_fits(r->x, h)) {
		relay_refuse(r, 502,
			     http_request(r->x)->upgrade
				     ? "the application agrees to another upgrade than was asked"
				     : "the application upgrades a connection for which nobody "
				       "asked");
		return;
	}
	header_filter_to_client(h, r->id, r->offer.marker, &headers);
	http_send_head(r->x, 101, headers.at, headers.n, 0);
	tunnel_start(r->caller.proxy, r->caller.route, r->x, r->up, &r->record);
	r->up = NULL;
	relay_free(r);
}

static void forward_head(struct upstream *u, const struct http_head *h)
{
	struct relay *r = upstream_owner(u);
	struct filtered_headers headers;

	control_touch(r->caller.proxy, r->caller.route);
	recording_answered(&r->record, h->status);
	if (h->status == 101) {
		forward_upgrade(r, h);
		return;
	}
	r->keep_alive_ms = pool_read_keep_alive(http_header(h, "keep-alive"));
	header_filter_to_client(h, r->id, false, &headers);
	r->headed = true;
	if (*h->reason)
		http_set_reason(r->x, h->reason);
	http_send_head(r->x, h->status, headers.at, headers.n, h->length);
}

static size_t forward_body(struct upstream *u, const uint8_t *data, size_t size)
{
	struct relay *r = upstream_owner(u);

	if (r->client_full)
		return 0;
	control_touch(r->caller.proxy, r->caller.route);
	r->record.out += size;
	r->client_full = !http_send_body(r->x, data, size);
	return size;
}

static void forward_interim(struct upstream *u, const struct http_head *h)
{
	struct relay *r = upstream_owner(u);
	struct filtered_headers headers;

	control_touch(r->caller.proxy, r->caller.route);
	header_filter_to_client(h, r->id, false, &headers);
	http_send_interim(r->x, h->status, headers.at, headers.n);
}

static void forward_trailers(struct upstream *u, const struct http_header *fields, size_t n)
{
	struct relay *r = upstream_owner(u);

	r->answer_trailers = fields;
	r->n_answer_trailers = n;
}

static void forward_end(struct upstream *u)
{
	struct relay *r = upstream_owner(u);

	/* Each request that cannot be repeated opens a connection, so keeping all of them would
	 * fill the pool.  One that saw an upgrade may hold bytes of another protocol. */
	if (r->ended && upstream_reusable(u) && !http_request(r->x)->upgrade &&
	    (forward_repeatable(http_request(r->x)) ||
	     !pool_has(r->caller.route, r->caller.port))) {
		pool_put(r->caller.route, r->caller.port, u, r->keep_alive_ms);
		r->up = NULL;
	}
	relay_detach(r);
	http_send_trailers(r->x, r->answer_trailers, r->n_answer_trailers);
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
	struct route *route = r->caller.route;

	r->up = NULL;
	if (upstream_timed_out(u)) {
		relay_refuse(r, 504,
			     "the application neither took nor sent a byte for %lld seconds",
			     (long long)r->caller.proxy->conf->clients.response_timeout_ms / 1000);
		return;
	}
	if (!r->reused || upstream_answered(u)) {
		r->answered = upstream_answered(u);
		relay_refuse(r, 502, "%s", why);
		return;
	}
	/* The application closed a kept connection while it was used: try a fresh one, once. */
	pool_learn(route, r->caller.port, r->kept_ms);
	relay_detach(r);
	r->caller.route = route;
	caller_gate(&r->caller);
}

static void forward_closed(struct upstream *u)
{
	(void)u;
}

static const struct upstream_ops forward_ops = {
	.interim = forward_interim,
	.head = forward_head,
	.body = forward_body,
	.trailers = forward_trailers,
	.end = forward_end,
	.writable = forward_writable,
	.failed = forward_failed,
	.closed = forward_closed,
};

static void forward_refused(struct caller *c, unsigned status, const char *reason)
{
	relay_refuse(container_of(c, struct relay, caller), status, "%s", reason);
}

const struct caller_ops forward_caller = {
	.held = relay_held,
	.take_kept = forward_take_kept,
	.opened = forward_dialed,
	.refuse = forward_refused,
};
