/* probe.c - TLS towards an application: the handshake, and how a port is found out to need one. */

#include <string.h>

#include "base/clock.h"
#include "net/tls.h"
#include "proxy/forward.h"
#include "proxy/pool.h"
#include "proxy/sessions.h"

/* A TLS server refuses plain HTTP at once, and whoever reads a body takes more than that. */
#define PROBE_BODY_MS  250
#define PROBE_MS       2000  /* for a port of which nobody knows that it speaks TLS */
#define PROBE_PAUSE_MS 10000 /* until a port that did not speak TLS may be asked again */

static const struct conn_ops probe_ops;

struct app_port *probe_port(const struct relay *r)
{
	return app_port_of(&r->caller.route->app_ports, r->caller.port);
}

bool probe_is_due(const struct relay *r)
{
	const struct app_port *port = probe_port(r);

	return port->speech == APP_UNKNOWN && !r->probed && clock_mono_ms() >= port->not_until_ms;
}

/* It does not speak TLS, or at least not now. */
static void probe_failed(struct relay *r)
{
	struct app_port *port = probe_port(r);

	list_del(&r->in_heads);
	if (!r->probed) {
		/* The port was known to speak TLS, and nothing of the request was sent. */
		if (port->speech == APP_TLS)
			port->speech = APP_UNKNOWN;
		forward_repeat(r, "the application does not finish the TLS handshake");
		return;
	}
	port->not_until_ms = clock_mono_ms() + PROBE_PAUSE_MS;
	r->probing = false;
	if (r->held)
		forward_go_on(r);
	else
		relay_refuse(r, 502, "%s", r->why);
}

/* It outlives the relay by a turn of the loop. */
static void probe_drop(struct conn *c)
{
	conn_set_owner(c, &probe_ops, NULL);
	conn_close(c);
}

static void probe_succeeded(struct relay *r, struct conn *c)
{
	struct app_port *port = probe_port(r);

	port->speech = APP_TLS;
	port->http2 = !strcmp(conn_alpn(c), "h2");
	if (r->probed) {
		pool_drop_port(r->caller.route, r->caller.port);
		sessions_drop_port(r->caller.route, r->caller.port);
	}
	list_del(&r->in_heads);
	r->probing = false;
	r->held = NULL;
	if (r->up)
		upstream_close(r->up);
	r->up = NULL;
	if (r->body_passed && r->body_lost) {
		probe_drop(c);
		relay_refuse(r, 502,
			     "port %u speaks TLS, which shows only now: send the request again",
			     r->caller.port);
		return;
	}
	forward_over(r, c, true, port->http2);
}

static void probe_open(struct conn *c)
{
	struct relay *r = conn_owner(c);

	r->shake = NULL;
	probe_succeeded(r, c);
}

static size_t probe_data(struct conn *c, const uint8_t *data, size_t size)
{
	(void)c, (void)data, (void)size;
	return 0; /* it is for whom the connection is given to */
}

static void probe_end(struct conn *c)
{
	conn_close(c);
}

static void probe_closed(struct conn *c)
{
	struct relay *r = conn_owner(c);

	if (!r)
		return;
	r->shake = NULL;
	probe_failed(r);
}

static const struct conn_ops probe_ops = {
	.open = probe_open,
	.data = probe_data,
	.end = probe_end,
	.closed = probe_closed,
};

static void probe_wait(struct relay *r)
{
	r->probing = true;
	r->probe_since_ms = clock_mono_ms();
	list_del(&r->in_heads);
	list_add(&r->caller.proxy->probes, &r->in_heads);
	queue_arm(r->caller.proxy);
}

void probe_shake(struct relay *r, int fd)
{
	struct tls *tls = r->caller.proxy->to_apps[http_request(r->x)->upgrade];
	struct err e;

	probe_wait(r);
	r->shake = conn_new(r->caller.proxy->loop, fd, tls, &probe_ops, r, &e);
	if (!r->shake)
		probe_failed(r);
}

static void probe_dialed(void *arg, enum dial_result result, int fd)
{
	struct relay *r = arg;

	r->probe_dial = NULL;
	if (result == DIAL_OPEN)
		probe_shake(r, fd);
	else
		probe_failed(r);
}

void probe_begin(struct relay *r, const char *why)
{
	r->probed = true;
	r->why = why;
	probe_wait(r);
	r->probe_dial = caller_dial_port(&r->caller, probe_dialed, r);
}

void probe_tick(struct relay *r, int64_t now_ms)
{
	if (now_ms - r->probe_since_ms < (r->probed ? PROBE_MS : LIMIT_NET_DIAL_MS))
		return;
	probe_cancel(r);
	probe_failed(r);
}

bool probe_keep_body(struct relay *r, const uint8_t *data, size_t size)
{
	if (r->body_lost)
		return true;
	if (probe_port(r)->speech != APP_UNKNOWN) {
		r->body_lost = true;
		buf_free(&r->sent);
		return true;
	}
	if (r->sent.size + size <= LIMIT_HTTP_BUFFER) {
		buf_add(&r->sent, data, size);
		return true;
	}
	if (!r->unsure_until_ms) {
		r->unsure_until_ms = clock_mono_ms() + PROBE_BODY_MS;
		list_del(&r->in_heads);
		list_add(&r->caller.proxy->unsure, &r->in_heads);
		queue_arm(r->caller.proxy);
	}
	return false;
}

void probe_gives_up(struct relay *r)
{
	list_del(&r->in_heads);
	r->body_lost = true;
	buf_free(&r->sent);
	http_read_more(r->x);
}

void probe_is_sure(struct relay *r)
{
	struct app_port *port = probe_port(r);

	if (port->speech == APP_UNKNOWN)
		port->speech = APP_PLAIN;
	probe_gives_up(r);
}

void probe_cancel(struct relay *r)
{
	if (r->probing)
		list_del(&r->in_heads);
	if (r->probing && r->probe_dial) {
		dial_cancel(r->probe_dial);
		r->probe_dial = NULL;
	}
	if (r->shake)
		probe_drop(r->shake);
	r->shake = NULL;
	r->probing = false;
}
